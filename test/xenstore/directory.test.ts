// A directory too large for one message, with this test as xenstored.
import { describe, expect, it } from 'vitest'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import type { Caller } from '../../src/xenstore/caller.js'
import { listChildren } from '../../src/xenstore/directory.js'
import { XenStoreError } from '../../src/xenstore/store-error.js'

const SUBJECT = { operation: 'list', path: '/many' }
const refused = (code: string): XenStoreError => new XenStoreError(code, code, SUBJECT)

/** Answers with so many bytes of the names at a time, and notes the offsets asked for. */
function partly(names: string[], bytes: number, generations = (_part: number): string => '5') {
  const offsets: number[] = []
  const all = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1')
  const caller: Caller = {
    maxPayload: 4096,
    async call({ type, message }) {
      if (type === MessageType.directory) throw refused('E2BIG')
      const [path, offset] = message.subarray(16).toString('latin1').split('\0')
      expect(path).toBe('/many')
      offsets.push(Number(offset))
      const generation = generations(offsets.length)
      const end = Math.min(all.length, Number(offset) + bytes)
      const part = all.subarray(Number(offset), all.lastIndexOf(0, end - 1) + 1)
      const last = Number(offset) + part.length === all.length ? '\0' : ''
      return Buffer.concat([Buffer.from(`${generation}\0`), part, Buffer.from(last)])
    },
  }
  return { list: () => listChildren(caller, '/many', undefined), offsets }
}

describe('a directory that is read in parts', () => {
  const names = Array.from({ length: 20 }, (_, i) => `name-${i}`)

  it.each([10, 33, 1000])('has all its names, in parts of %i bytes', async (bytes) => {
    const { list } = partly(names, bytes)
    expect(await list()).toEqual(names)
  })

  it('is read from the beginning again when it has changed between two parts', async () => {
    const { list, offsets } = partly(names, 50, (part) => (part < 3 ? '5' : '6'))
    expect(await list()).toEqual(names)
    expect(offsets.filter((offset) => offset === 0)).toHaveLength(2)
  })

  it('that changes without end is given up', async () => {
    const { list, offsets } = partly(names, 50, (part) => String(part))
    await expect(list()).rejects.toMatchObject({ code: 'EAGAIN' })
    expect(offsets).toHaveLength(200)
  })

  it('is refused as it was at first where there are no parts', async () => {
    const caller: Caller = {
      maxPayload: 4096,
      call: async ({ type }) => {
        throw refused(type === MessageType.directory ? 'E2BIG' : 'ENOSYS')
      },
    }
    await expect(listChildren(caller, '/many', undefined)).rejects.toMatchObject({ code: 'E2BIG' })
  })
})

import { describe, expect, it } from 'vitest'
import { GrantError } from '../../src/errors.js'
import { readStreamOver } from '../../src/fill/read-stream.js'

const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251)

async function read(options: { start?: number; end?: number }): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of readStreamOver(() => bytes, bytes.length, options)) chunks.push(chunk)
  return chunks
}

describe('a stream of what is in the pages', () => {
  it.each([
    [{}, 0, bytes.length],
    [{ start: 7, end: 7 }, 7, 7],
    [{ start: 3, end: 65_540 }, 3, 65_540],
    [{ start: 199_999 }, 199_999, 200_000],
    [{ end: 65_536 }, 0, 65_536],
  ])('has of %j all and no more', async (options, start, end) => {
    expect(Buffer.compare(Buffer.concat(await read(options)), bytes.subarray(start, end))).toBe(0)
  })

  it('has copies, which do not change with the pages', async () => {
    const pages = new Uint8Array(10).fill(1)
    const stream = readStreamOver(() => pages, 10, {})
    const chunk: Buffer = await new Promise((resolve) => stream.once('data', resolve))
    pages.fill(2)
    expect([...chunk]).toEqual(Array(10).fill(1))
  })

  it('fails when they are given up', async () => {
    const gone = new GrantError('ERR_GRANTS_UNSHARED', 'gone')
    let live = true
    const stream = readStreamOver(
      () => {
        if (!live) throw gone
        return bytes
      },
      bytes.length,
      {},
    )
    const reading = (async () => {
      for await (const _ of stream) live = false
    })()
    await expect(reading).rejects.toBe(gone)
  })
})

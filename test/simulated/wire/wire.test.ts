import { describe, expect, it } from 'vitest'
import { GrantError, systemCallError } from '../../../src/errors.js'
import { Decoder, decodeBody, encode, errorFromWire, errorToWire } from '../../../src/simulated/wire/codec.js'

describe('messages', () => {
  it('survive any cut of the stream', () => {
    const sent = [
      { head: { id: 1, text: 'ä' }, numbers: Uint32Array.of(1, 2 ** 32 - 1) },
      { head: [], numbers: new Uint32Array(0) },
      { head: { id: 3 }, numbers: Uint32Array.from({ length: 100 }, (_, i) => i) },
      { head: { id: 4 }, numbers: Uint32Array.of(5) },
    ]
    const stream = Buffer.concat(sent.map(({ head, numbers }) => encode(head, numbers)))
    for (let size = 1; size <= stream.length; size++) {
      const decoder = new Decoder()
      const received = []
      for (let at = 0; at < stream.length; at += size)
        received.push(...decoder.push(stream.subarray(at, at + size)))
      expect(received).toEqual(sent)
    }
  })

  it('are refused when they make no sense', () => {
    const refused = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' })
    for (const length of [0, 3, 2 ** 32 - 1]) {
      const prefix = Buffer.alloc(4)
      prefix.writeUInt32LE(length)
      expect(() => [...new Decoder().push(prefix)]).toThrow(refused)
    }
    const long = (length: number): Buffer => encode('x'.repeat(length)).subarray(4)
    expect(decodeBody(long(65_534)).head).toHaveLength(65_534)
    expect(() => decodeBody(long(65_535))).toThrow(refused)
    expect(() => decodeBody(Buffer.from([9, 0, 0, 0, 1]))).toThrow(refused)
    expect(() => decodeBody(Buffer.from([1, 0, 0, 0, 0x7b]))).toThrow(refused)
    expect(() => decodeBody(Buffer.from([2, 0, 0, 0, 0x7b, 0x7d, 0]))).toThrow(refused)
  })

  it('keep class and fields of an error', () => {
    const error = systemCallError(28, 'ioctl', 'allocating', { domid: 7, pages: 3, path: '/x' })
    const copy = errorFromWire(JSON.parse(JSON.stringify(errorToWire(error))))
    expect(copy).toBeInstanceOf(GrantError)
    expect(copy).toEqual(error)
    expect(copy).toMatchObject({
      code: 'ENOSPC',
      errno: -28,
      syscall: 'ioctl',
      domid: 7,
      pages: 3,
      path: '/x',
    })
  })
})

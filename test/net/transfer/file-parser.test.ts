import { describe, expect, it } from 'vitest'
import {
  encodeAnswer,
  encodeHeader,
  MAX_BLOCK,
  MAX_LINE,
  parseAnswer,
  parseHeader,
} from '../../../src/net/transfer/file-header.js'
import { FileParser } from '../../../src/net/transfer/file-parser.js'

const length = (bytes: number): Buffer => {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(bytes)
  return head
}
const digest = Buffer.alloc(32, 7)
const whole = Buffer.concat([
  encodeHeader({ name: 'über\nfile', size: 11, hashed: true }),
  ...[length(5), Buffer.from('some '), length(6), Buffer.from('bytes\n'), length(0), digest],
])

function parse(pieces: Iterable<Buffer>): { parser: FileParser; bytes: Buffer } {
  const parser = new FileParser()
  const bytes: Buffer[] = []
  for (const piece of pieces) bytes.push(...parser.push(piece))
  return { parser, bytes: Buffer.concat(bytes) }
}

function* split(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('FileParser', () => {
  it('reads the same from pieces of any size', () => {
    for (let size = 1; size <= whole.length; size++) {
      const { parser, bytes } = parse(split(whole, size))
      expect(bytes.toString()).toBe('some bytes\n')
      expect(parser.header).toEqual({ name: 'über\nfile', size: 11, hashed: true })
      expect(parser).toMatchObject({ done: true, digest, bytes: 11 })
    }
  })

  it('is not done before the last byte', () => {
    for (let end = 0; end < whole.length; end++)
      expect(parse([whole.subarray(0, end)]).parser.done).toBe(false)
  })

  it('gives the bytes of a block before the block is whole', () => {
    const start = Buffer.concat([
      encodeHeader({ name: '', size: undefined, hashed: false }),
      length(MAX_BLOCK),
    ])
    const { parser, bytes } = parse([start, Buffer.from('first')])
    expect(bytes.toString()).toBe('first')
    expect(parser).toMatchObject({ bytes: 5, done: false, digest: undefined })
  })

  it('refuses a line that does not end before it fills the memory', () => {
    const parser = new FileParser()
    const push = (count: number) => {
      for (let i = 0; i < count; i++) for (const _ of parser.push(Buffer.from('{')));
    }
    push(MAX_LINE - 1)
    expect(() => push(1)).toThrow(expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' }))
  })

  it.each<[string, Buffer[]]>([
    ['has more than its size', [encodeHeader({ name: '', size: 1, hashed: false }), length(2)]],
    ['has less than its size', [encodeHeader({ name: '', size: 1, hashed: false }), length(0)]],
    [
      'has a block too large',
      [encodeHeader({ name: '', size: undefined, hashed: false }), length(MAX_BLOCK + 1)],
    ],
    ['goes on after its end', [whole, Buffer.alloc(1)]],
    ['has a line too long', [Buffer.alloc(MAX_LINE, ' '), Buffer.from('\n')]],
    ['has no line at all', [Buffer.from('\n')]],
  ])('refuses what %s, in whichever pieces', (_, parts) => {
    const refused = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' })
    for (const pieces of [parts, split(Buffer.concat(parts), 1)]) expect(() => parse(pieces)).toThrow(refused)
  })
})

describe('the lines of a transfer', () => {
  it.each([
    'null',
    '[]',
    '{}',
    '{"kind":"xen-grants file","version":2,"name":"x"}',
    '{"kind":"xen-grants file","version":1}',
    '{"kind":"xen-grants file","version":1,"name":{}}',
    `{"kind":"xen-grants file","version":1,"name":"${'x'.repeat(256)}"}`,
    '{"kind":"xen-grants file","version":1,"name":"x","size":-1}',
    '{"kind":"xen-grants file","version":1,"name":"x","size":1e30}',
    '{"kind":"xen-grants file","version":1,"name":"x","size":null}',
    '{"kind":"xen-grants file","version":1,"name":"x","hash":"md5"}',
  ])('%s is no header', (text) => {
    expect(() => parseHeader(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' }),
    )
  })

  it.each(['1', '{"bytes":-1}', '{"bytes":1,"sha256":"x"}', '{"bytes":1,"error":1}', '{"bytes":"1"}'])(
    '%s is no answer',
    (text) => {
      expect(() => parseAnswer(Buffer.from(text))).toThrow(
        expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL' }),
      )
    },
  )

  it('an answer is read as it was written, with as much of a complaint as there is room for', () => {
    const answer = { bytes: 3, sha256: 'a'.repeat(64), error: 'x'.repeat(10_000) }
    const line = encodeAnswer(answer)
    expect(line.length).toBeLessThan(MAX_LINE)
    expect(parseAnswer(line)).toEqual({ ...answer, error: 'x'.repeat(255) })
  })
})

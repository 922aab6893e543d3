import { expect, test } from 'vitest'
import { encodeMessage, MAX_PAYLOAD, MessageReader, MessageType } from '../../../src/drivers/xenbus/wire.js'

const read = { type: MessageType.read, requestId: 7, transactionId: 0, payload: Buffer.from('/tool\0') }
const reply = { type: MessageType.read, requestId: 0xffff_ffff, transactionId: 3, payload: Buffer.alloc(0) }

test('a message is four little-endian integers and its payload', () => {
  expect(encodeMessage(read).toString('hex')).toBe('020000000700000000000000060000002f746f6f6c00')
})

test('messages come out whole, wherever the stream was cut', () => {
  const stream = Buffer.concat([read, reply, read].map(encodeMessage))
  for (let cut = 0; cut <= stream.byteLength; cut++) {
    const reader = new MessageReader(MAX_PAYLOAD)
    const messages = [...reader.push(stream.subarray(0, cut)), ...reader.push(stream.subarray(cut))]
    expect(messages).toEqual([read, reply, read])
    expect(reader.incomplete).toBe(0)
  }
})

test('a stream that comes byte by byte leaves what is incomplete, and keeps no view of the chunks', () => {
  const reader = new MessageReader(MAX_PAYLOAD)
  const chunk = encodeMessage(read)
  for (const byte of chunk.subarray(0, -1)) expect(reader.push(Uint8Array.of(byte))).toEqual([])
  expect(reader.incomplete).toBe(chunk.byteLength - 1)
  const last = chunk.subarray(-1)
  const [message] = reader.push(last)
  last.fill(1)
  expect(message).toEqual(read)
})

test('a header that announces too much is refused', () => {
  const message = encodeMessage({ ...read, payload: Buffer.alloc(MAX_PAYLOAD + 1) })
  expect(() => new MessageReader(MAX_PAYLOAD).push(message.subarray(0, 16))).toThrow(/4097 bytes/)
  expect(new MessageReader(MAX_PAYLOAD + 1).push(message)).toHaveLength(1)
})

test('what came before a header that announces too much is not lost with it', () => {
  const oversize = encodeMessage({ ...read, payload: Buffer.alloc(MAX_PAYLOAD + 1) })
  const chunk = Buffer.concat([encodeMessage(reply), encodeMessage(read), oversize])
  expect(() => new MessageReader(MAX_PAYLOAD).push(chunk)).toThrow(
    expect.objectContaining({ before: [reply, read] }),
  )
})

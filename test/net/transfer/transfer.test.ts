// Both ends of a transfer, over a pair of streams in memory.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type Duplex, duplexPair, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type FileTarget, receiveFile } from '../../../src/net/transfer/receive-file.js'
import { type FileSource, sendFile } from '../../../src/net/transfer/send-file.js'
import { rejection } from '../../setup/xen.js'

const data = randomBytes(3_000_001)
const sha256 = createHash('sha256').update(data).digest('hex')

/** Two ends of a stream that know, as those of a vchan do, when the other has gone. */
function pair(): [Duplex, Duplex] {
  const ends = duplexPair({ allowHalfOpen: false })
  for (const [index, end] of ends.entries()) {
    const other = ends[1 - index]!
    end
      .on('error', () => {})
      .once('close', () => {
        if (!end.writableEnded && !other.destroyed) other.push(null)
      })
  }
  return ends
}

function source(size: number | undefined): FileSource {
  let at = 0
  return {
    name: 'data',
    size,
    read: async (into) => {
      const count = data.copy(into, 0, at)
      at += count
      return count
    },
  }
}

class Target implements FileTarget {
  readonly pieces: Buffer[] = []
  kept = false
  readonly output = new Writable({
    highWaterMark: 1 << 16,
    write: (piece: Buffer, _encoding, done) => {
      this.pieces.push(piece)
      setImmediate(done)
    },
  })

  async flush(): Promise<void> {
    this.output.end()
    if (!this.output.writableFinished) await once(this.output, 'finish')
  }

  async commit(): Promise<void> {
    this.kept = true
  }
}

const header = { kind: 'xen-grants file', version: 1, name: 'lie' }
const line = (more: object): Buffer => Buffer.from(`${JSON.stringify({ ...header, ...more })}\n`)
const block = (text: string, length = text.length): Buffer => {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(length)
  return Buffer.concat([head, Buffer.from(text)])
}

describe('sendFile and receiveFile', () => {
  it.each([true, false])('all arrives, and both ends know how much it is (hash: %s)', async (hash) => {
    const [near, far] = pair()
    const target = new Target()
    const told: number[] = []
    const [sent, received] = await Promise.all([
      sendFile(near, source(data.length), { hash, onProgress: (bytes) => told.push(bytes) }),
      receiveFile(far, { open: async () => target }),
    ])
    expect(sent).toEqual({ bytes: data.length, sha256: hash ? sha256 : undefined })
    expect(received).toEqual({ ...sent, told: true })
    expect(Buffer.concat(target.pieces).equals(data)).toBe(true)
    expect(target.kept).toBe(true)
    expect(told.at(-1)).toBe(data.length)
  })

  it('a file that ends too early is an error at both ends', async () => {
    const [near, far] = pair()
    const target = new Target()
    const receiving = rejection(receiveFile(far, { open: async () => target }))
    const failed = await rejection(sendFile(near, source(data.length + 1), { hash: true }))
    expect(failed.code).toBe('ERR_GRANTS_SHORT_READ')
    near.destroy()
    expect(await receiving).toMatchObject({ code: 'ECONNRESET' })
    expect(target.kept).toBe(false)
  })

  it.each([3_000_001, undefined])('what is too large is refused, also without a size: %s', async (size) => {
    const [near, far] = pair()
    const target = new Target()
    const receiving = rejection(receiveFile(far, { open: async () => target, maxBytes: 3_000_000 }))
    const failed = await rejection(sendFile(near, source(size), { hash: true }))
    expect(failed.message).toContain('has not kept the file: the file has more than the 3000000')
    expect((await receiving).message).toContain('more than the 3000000')
    expect(target.kept).toBe(false)
  })

  it.each(['open', 'write', 'flush', 'commit'])(
    'a target that fails to %s: the sender learns no path',
    async (what) => {
      const [near, far] = pair()
      const target = new Target()
      const failure = Object.assign(new Error('no room in /home/me'), { code: 'ENOSPC' })
      const fail = async () => {
        throw failure
      }
      if (what === 'write') target.output._write = (_piece, _encoding, done) => done(failure)
      else if (what !== 'open') Object.assign(target, { [what]: fail })
      const open = what === 'open' ? fail : async () => target
      const receiving = rejection(receiveFile(far, { open }))
      const failed = await rejection(sendFile(near, source(data.length), { hash: true }))
      expect(failed.message).toBe('the receiver has not kept the file: it could not be written [ENOSPC]')
      expect(await receiving).toBe(failure)
      expect(target.kept).toBe(false)
    },
  )
})

describe('a peer that lies', () => {
  it.each<[string, Buffer[], string]>([
    [
      'another SHA-256',
      [line({ hash: 'sha256' }), block('data'), block(''), Buffer.alloc(32)],
      'SHA-256 of what',
    ],
    ['more than it has said', [line({ size: 3 }), block('data')], 'and has more'],
    ['less than it has said', [line({ size: 5 }), block('data'), block('')], 'ends after 4'],
    ['a block of 4 GiB', [line({}), block('data', 2 ** 32 - 1)], 'the most is 1048576'],
    [
      'something after the end',
      [line({}), block('data'), block(''), Buffer.alloc(1)],
      'goes on after the end',
    ],
    ['half a file', [line({}), block('data', 5)], 'the sender has gone after 4 bytes'],
    ['nothing', [], 'the sender has gone after 0 bytes'],
    ['no file', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'does not speak the protocol'],
    ['a line without an end', [Buffer.alloc(5000, '{')], 'is no file'],
  ])('a sender sends %s: nothing is kept', async (_, pieces, sentence) => {
    const [near, far] = pair()
    const target = new Target()
    const receiving = rejection(receiveFile(far, { open: async () => target }))
    near.resume()
    near.end(Buffer.concat(pieces))
    expect((await receiving).message).toContain(sentence)
    expect(target.kept).toBe(false)
    expect(far.destroyed).toBe(true)
  })

  it.each<[string, object, string]>([
    ['another SHA-256', { bytes: data.length, sha256: 'ab'.repeat(32) }, 'has another SHA-256'],
    ['no SHA-256', { bytes: data.length }, 'has another SHA-256'],
    ['that it has less', { bytes: 3, sha256 }, 'says that it has 3'],
    ['what is no answer', [], 'does not say what it has received'],
  ])('a receiver says %s: the sender fails', async (_, answer, sentence) => {
    const [near, far] = pair()
    const sending = rejection(sendFile(near, source(data.length), { hash: true }))
    const digest = Buffer.from(sha256, 'hex')
    far.on('data', (chunk: Buffer) => {
      if (chunk.subarray(-digest.length).equals(digest)) far.write(`${JSON.stringify(answer)}\n`)
    })
    expect((await sending).message).toContain(sentence)
  })

  it.each<[string, (far: Duplex) => void, string]>([
    ['closes', (far) => far.destroy(), 'has gone'],
    ['says at once that it is satisfied', (far) => far.write('{"bytes":0}\n'), 'says that it has 0'],
    ['complains at once', (far) => far.write('{"bytes":0,"error":"\\u001b full"}\n'), 'file: ? full'],
    ['talks without an end', (far) => far.write(Buffer.alloc(5000, ' ')), 'too long'],
  ])('a receiver %s: the sender fails', async (_, act, sentence) => {
    const [near, far] = pair()
    const sending = rejection(sendFile(near, source(data.length), { hash: true }))
    far.resume()
    act(far)
    expect((await sending).message).toContain(sentence)
  })
})

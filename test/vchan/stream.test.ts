// What users of net.Socket expect of a stream.
import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Vchan } from 'xen-grants/vchan'
import { uncaught } from '../setup/uncaught.js'
import { rejection } from '../setup/xen.js'
import { ended } from './ends.js'
import { useSharedEnds } from './shared-ends.js'

const ends = useSharedEnds()
const small = { receiveBytes: 4096, sendBytes: 4096 }

/** What a stream says, in order. */
function log(stream: Vchan): string[] {
  const said: string[] = []
  for (const name of ['end', 'finish', 'close'] as const) stream.on(name, () => said.push(name))
  stream.on('error', (error) => said.push((error as Error & { code?: string }).code ?? error.message))
  return said
}

async function whole(stream: Vchan): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Calls back as `write` does, as a promise. */
function written(stream: Vchan, data: string | Uint8Array): Promise<Error | null | undefined> {
  return new Promise((resolve) => stream.write(data, resolve))
}

describe('a vchan as a stream', () => {
  it("ends with 'end', 'finish' and 'close', each once, at both ends", async () => {
    const pair = await ends.pair()
    const logs = pair.map(log)
    pair[1].end('bye')
    await Promise.all(pair.map(ended))
    for (const said of logs) {
      expect([...said].sort()).toEqual(['close', 'end', 'finish'])
      expect(said.at(-1)).toBe('close')
    }
  })

  it('refuses a write after end()', async () => {
    const [server, client] = await ends.pair()
    const said = log(client)
    client.end()
    expect(await written(client, 'late')).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' })
    await Promise.all([ended(client), ended(server)])
    expect(said.filter((one) => one === 'ERR_STREAM_WRITE_AFTER_END')).toHaveLength(1)
    expect(said.filter((one) => one === 'close')).toHaveLength(1)
  })

  it("destroy(error) tells of it once, before 'close', and the other end just ends", async () => {
    const [server, client] = await ends.pair()
    const [here, there] = [log(client), log(server)]
    client.destroy(new Error('enough'))
    client.destroy(new Error('again'))
    await Promise.all([ended(client), ended(server)])
    expect(here).toEqual(['enough', 'close'])
    expect(there).not.toContain('enough')
    expect(there).toContain('end')
  })

  it('tells every write that is under way when it is destroyed', async () => {
    const [, client] = await ends.pair(small)
    log(client)
    const writes = [1, 2, 3].map(() => written(client, Buffer.alloc(10_000)))
    client.destroy()
    for (const error of await Promise.all(writes)) expect(error).toBeInstanceOf(Error)
  })

  it('tells of a write that the other end does not take, also when it is destroyed meanwhile', async () => {
    const [server, client] = await ends.pair(small)
    log(client)
    // Nobody reads it, so the write is not told of yet.
    await written(server, 'tail')
    const write = written(client, Buffer.alloc(1 << 20))
    const over = ended(server.destroy())
    // The end of the other end takes what there is, unread.
    while (client.readableLength === 0) await nextTurn()
    await nextTurn()
    client.destroy()
    expect(await write).toMatchObject({ code: expect.stringMatching(/EPIPE|ERR_GRANTS_CLOSED/) })
    await over
  })

  it('may be disposed of', async () => {
    const [server, client] = await ends.pair()
    log(client)
    await client[Symbol.asyncDispose]()
    expect(client.closed).toBe(true)
    await ended(server)
  })

  it('may be left by a loop over it', async () => {
    const [server, client] = await ends.pair()
    await written(server, 'first')
    for await (const chunk of client) {
      expect(String(chunk)).toBe('first')
      break
    }
    expect(client.destroyed).toBe(true)
    await Promise.all([ended(client), ended(server)])
  })

  it('may be ended at both ends at once, with bytes under way', async () => {
    const pair = await ends.pair()
    const data = randomBytes(30_000)
    const sums = Promise.all(pair.map(whole))
    for (const end of pair) end.end(data)
    for (const sum of await sums) expect(sum.equals(data)).toBe(true)
  })

  it('may be ended while its reader is paused, and its own bytes come', async () => {
    const [server, client] = await ends.pair(small)
    const data = randomBytes(20_000)
    client.pause()
    client.end(data)
    server.write('unread so far')
    expect((await whole(server)).equals(data)).toBe(true)
    client.resume()
    let heard = ''
    client.on('data', (chunk) => {
      heard += chunk
    })
    await ended(client)
    expect(heard).toBe('unread so far')
  })

  it('may be destroyed by who is given a chunk', async () => {
    const [server, client] = await ends.pair(small)
    const said = log(client)
    log(server)
    server.write(randomBytes(50_000))
    let chunks = 0
    client.on('data', () => {
      chunks++
      client.destroy()
    })
    await Promise.all([ended(client), ended(server)])
    expect([chunks, said]).toEqual([1, ['close']])
  })

  it('may be ended by who is given a chunk, and all listeners get the chunks in one order', async () => {
    const [server, client] = await ends.pair({ receiveBytes: 4096, sendBytes: 1 << 20 })
    const heard: Buffer[][] = [[], []]
    client.once('data', () => client.end())
    client.on('data', (chunk) => heard[0]!.push(chunk))
    client.on('data', (chunk) => heard[1]!.push(chunk))
    client.pause()
    const data = randomBytes(500_000)
    await written(server, data)
    client.resume()
    await Promise.all([ended(client), ended(server)])
    for (const chunks of heard) expect(Buffer.concat(chunks).equals(data)).toBe(true)
  })

  it('leaves what a listener throws to the program, and goes on', async () => {
    const [server, client] = await ends.pair()
    const all = await uncaught(async (thrown) => {
      let heard = ''
      client.on('data', (chunk) => {
        heard += chunk
        if (heard === 'one') throw new Error('of the listener')
      })
      await written(server, 'one')
      while (thrown.length === 0) await nextTurn()
      await written(server, 'two')
      while (heard !== 'onetwo') await nextTurn()
    })
    expect(all).toEqual([new Error('of the listener')])
    expect(client.destroyed).toBe(false)
  })

  it('destroyed by who gets its last bytes it has taken them, for the other end', async () => {
    const [server, client] = await ends.pair()
    const said = log(server)
    client.on('data', () => client.destroy())
    server.end('all of it')
    await Promise.all([ended(client), ended(server)])
    expect([...said].sort()).toEqual(['close', 'end', 'finish'])
  })

  it('ends and closes for who throws when it hears that there is no more', async () => {
    const [server, client] = await ends.pair()
    const thrown = await uncaught(async () => {
      client.on('readable', () => {
        if (client.read() === null) throw new Error('of the listener')
      })
      client.end('x')
      server.resume()
      await Promise.all([ended(client), ended(server)])
    })
    expect(thrown).toContainEqual(new Error('of the listener'))
  })

  it('tells the other end that it closes also when who is told of a lost write throws', async () => {
    const [server, client] = await ends.pair(small)
    const said = log(client)
    client.write(Buffer.alloc(100_000), () => {
      throw new Error('of the caller')
    })
    await nextTurn()
    client.destroy()
    server.resume()
    await Promise.all([ended(client), ended(server)])
    expect(said).toEqual(['of the caller', 'close'])
  })

  it('puts what is written in one turn after the first into the ring at once', async () => {
    const [server, client] = await ends.pair()
    const together = vi.spyOn(server, '_writev')
    let heard = 0
    client.on('data', (chunk) => {
      heard += chunk.length
    })
    for (let i = 0; i < 100; i++) server.write(Buffer.alloc(100))
    while (heard < 10_000) await nextTurn()
    expect(together.mock.calls.map(([items]) => items.length)).toEqual([99])
    expect(server.eventsSent).toBeLessThanOrEqual(2)
  })

  it('gives others their turn while it takes one write after the other without waiting', async () => {
    const [server] = await ends.pair()
    let others = 0
    setImmediate(() => others++)
    for (let i = 0; i < 300 && others === 0; i++) await written(server, 'x')
    expect(others).toBe(1)
  })

  it('takes strings, bytes and nothing, and gives strings if asked', async () => {
    const [server, client] = await ends.pair()
    client.setEncoding('utf8')
    server.write('')
    server.write(new Uint8Array(0))
    server.write('grün ')
    server.write(new TextEncoder().encode('weiß '))
    server.write('00ff', 'latin1')
    server.write(Buffer.alloc(0))
    server.end()
    const chunks: unknown[] = []
    for await (const chunk of client) chunks.push(chunk)
    expect(chunks.every((chunk) => typeof chunk === 'string')).toBe(true)
    expect(chunks.join('')).toBe('grün weiß 00ff')
  })

  it('does not cut a character in two where a ring ends', async () => {
    const [server, client] = await ends.pair({ receiveBytes: 1024, sendBytes: 1024 })
    const said = '€'.repeat(3000)
    client.setEncoding('utf8')
    server.end(said)
    let heard = ''
    for await (const chunk of client) heard += chunk
    expect(heard).toBe(said)
  })

  it('writes what was corked at once, with one event', async () => {
    const [server, client] = await ends.pair()
    server.resume()
    await written(client, 'the reader is asleep after this')
    while (server.bytesRead < 31) await nextTurn()
    await nextTurn()
    const before = client.eventsSent
    client.cork()
    for (let i = 0; i < 100; i++) client.write('piece ')
    expect(client.bytesWritten).toBe(31)
    client.uncork()
    expect([client.bytesWritten, client.eventsSent - before]).toEqual([631, 1])
    while (server.bytesRead < 631) await nextTurn()
  })

  it('may be piped into what is slow: no more is read than there is room for', async () => {
    const [server, client] = await ends.pair(small)
    const data = randomBytes(400_000)
    const taken: Buffer[] = []
    const slow = new Writable({
      highWaterMark: 1000,
      write(chunk, _, callback) {
        taken.push(chunk)
        expect(client.readableLength).toBeLessThanOrEqual(client.readableHighWaterMark + 4096)
        setImmediate(callback)
      },
    })
    server.end(data)
    await pipeline(client, slow)
    expect(Buffer.concat(taken).equals(data)).toBe(true)
  })

  it('fails a pipeline whose other end breaks', async () => {
    const [server, client] = await ends.pair()
    const broken = new Writable({ write: (_chunk, _encoding, callback) => callback(new Error('disk full')) })
    const piped = rejection(pipeline(client, broken))
    server.write('x')
    expect((await piped).message).toBe('disk full')
    await Promise.all([ended(client), ended(server)])
  })

  it('writes 64 MiB at once through a ring of 4 KiB', { timeout: 120_000 }, async () => {
    const [server, client] = await ends.pair(small)
    const length = Number(process.env.XEN_GRANTS_ROUNDS ?? 0) > 0 ? 64 << 20 : 2 << 20
    const data = Buffer.alloc(length)
    for (let at = 0; at < length; at += 4) data.writeUInt32LE(at, at)
    client.end(data)
    let at = 0
    for await (const chunk of server) {
      if (!chunk.equals(data.subarray(at, at + chunk.length))) expect.fail(`other bytes from ${at}`)
      at += chunk.length
    }
    expect(at).toBe(length)
  })
})

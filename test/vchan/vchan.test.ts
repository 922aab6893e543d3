import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Xen } from 'xen-grants'
import { Vchan } from 'xen-grants/vchan'
import { ended } from './ends.js'
import { useSharedEnds } from './shared-ends.js'

const ends = useSharedEnds()

async function sum(stream: Readable): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, digest: hash.digest('hex') }
}

function sumOf(data: Buffer): { bytes: number; digest: string } {
  return { bytes: data.length, digest: createHash('sha256').update(data).digest('hex') }
}

/** Resolves when a stream has taken so many bytes out of its ring. */
function received(stream: Vchan, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    stream.on('data', () => {
      if (stream.bytesRead >= bytes) resolve()
    })
  })
}

describe('a vchan', () => {
  it.each([
    ['in its page', 1, 1],
    ['one in its page', 2048, 4096],
    ['of a page', 4096, 4096],
    ['of 64 KiB', 65536, 65536],
    ['of 1 MiB', 1 << 20, 1 << 20],
    ['of different sizes', 1 << 20, 5000],
  ])('carries bytes both ways at once, with rings %s', async (_, receiveBytes, sendBytes) => {
    const [server, client] = await ends.pair({ receiveBytes, sendBytes })
    const toClient = randomBytes(300_001)
    const toServer = randomBytes(200_003)
    const sums = Promise.all([sum(server), sum(client)])
    // Each waits for the other's bytes before it ends: there is no half-open state.
    server.write(toClient)
    client.write(toServer)
    await Promise.all([received(client, toClient.length), received(server, toServer.length)])
    client.end()
    expect(await sums).toEqual([sumOf(toServer), sumOf(toClient)])
  })

  it('delivers everything that was written before end(), also when the reader begins late', async () => {
    for (const order of [0, 1]) {
      const pair = await ends.pair({ receiveBytes: 4096, sendBytes: 4096 })
      const [writer, reader] = order === 0 ? pair : [pair[1], pair[0]]
      const data = randomBytes(100_000)
      writer.end(data)
      await nextTurn()
      expect(await sum(reader)).toEqual(sumOf(data))
      await Promise.all([ended(writer), ended(reader)])
    }
  })

  it('holds a writer up while nobody reads, and no more than its ring and its buffer is under way', async () => {
    const [server, client] = await ends.pair({ receiveBytes: 4096, sendBytes: 4096 })
    let told = 0
    while (client.write(Buffer.alloc(4096, told))) told++
    const drained = once(client, 'drain')
    await new Promise((resolve) => setTimeout(resolve, 50))
    // The server's own buffer wants 64 KiB.
    expect(client.bytesWritten).toBeLessThanOrEqual(4096 + server.readableHighWaterMark + 4096)
    server.resume()
    await drained
    client.end()
    await Promise.all([ended(server), ended(client)])
    expect(server.bytesRead).toBe((told + 1) * 4096)
  })

  it('works with pipeline, in both directions', async () => {
    const [server, client] = await ends.pair()
    const data = randomBytes(1_000_000)
    const echo = pipeline(server, server)
    const back: Buffer[] = []
    client.on('data', (chunk: Buffer) => {
      back.push(chunk)
      if (client.bytesRead === data.length) client.end()
    })
    client.write(data)
    await Promise.all([echo, ended(client)])
    expect(Buffer.concat(back).equals(data)).toBe(true)
  })

  it('counts its bytes and its events', async () => {
    const [server, client] = await ends.pair()
    client.write('hello')
    expect(String((await once(server, 'data'))[0])).toBe('hello')
    expect([client.bytesWritten, server.bytesRead]).toEqual([5, 5])
    const sent = client.eventsSent
    await nextTurn()
    const received = once(server, 'data')
    client.write('again')
    await received
    expect(client.eventsSent).toBe(sent + 1)
    expect(server.eventsReceived).toBeGreaterThan(0)
    expect([server.domid, client.domid]).toEqual([5, 3])
    expect(server.path).toBe('/local/domain/3/data/vchan/5/test')
  })
})

describe('a vchan that is being made', () => {
  it('is waited for, by whoever comes first', async () => {
    const client = Vchan.connect(ends.client, { domid: 3, path: 'data/vchan/5/late' })
    await new Promise((resolve) => setTimeout(resolve, 30))
    const server = await Vchan.serve(ends.server, { domid: 5, path: 'data/vchan/5/late' })
    ends.keep(server, await client)
  })

  it('is given up after `timeout`, with what was missing', async () => {
    await expect(
      Vchan.connect(ends.client, { domid: 3, path: 'nothing', timeout: 900 }),
    ).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      domid: 3,
      message: expect.stringContaining('/local/domain/3/nothing after 900 ms: there are no keys'),
    })
    await expect(Vchan.connect(ends.client, { domid: 3, path: 'nothing', timeout: 0 })).rejects.toMatchObject(
      {
        code: 'ETIMEDOUT',
      },
    )
  })

  it('is given up when its signal aborts, and nothing of it is left', async () => {
    const reason = new Error('enough')
    const serving = new AbortController()
    const connecting = new AbortController()
    const both = Promise.allSettled([
      Vchan.serve(ends.server, { domid: 5, path: 'data/x', signal: serving.signal }),
      Vchan.connect(ends.client, { domid: 3, path: 'data/y', signal: connecting.signal }),
    ])
    const store = await ends.server.store()
    await store.waitFor('data/x/ring-ref', (value) => value !== undefined)
    serving.abort(reason)
    connecting.abort(reason)
    expect((await both).map((end) => end.status === 'rejected' && end.reason)).toEqual([reason, reason])
    expect(await store.exists('data/x')).toBe(false)
  })

  it('takes no keys with it that are not its own, and leaves none behind', async () => {
    const store = await ends.server.store()
    await store.write('data/vchan/5/test/other', 'mine')
    const [server, client] = await ends.pair()
    await store.waitFor('data/vchan/5/test/ring-ref', (value) => value === undefined)
    expect((await store.list('data/vchan/5/test')).sort()).toEqual(['open', 'other'])
    server.destroy()
    await Promise.all([ended(server), ended(client)])
    expect(await store.list('data/vchan/5/test')).toEqual(['other'])
    await store.remove('data/vchan/5/test')
  })

  it('replaces what a server that died has left, and a client of that waits', async () => {
    const store = await ends.server.store()
    for (const [name, value] of [
      ['ring-ref', '8'],
      ['event-channel', '1'],
      ['id', '00'.repeat(16)],
    ] as const) {
      await store.write(`data/vchan/5/test/${name}`, value)
      await store.setPermissions(`data/vchan/5/test/${name}`, [
        { domid: 3, access: 'none' },
        { domid: 5, access: 'read' },
      ])
    }
    const path = 'data/vchan/5/test'
    await expect(Vchan.connect(ends.client, { domid: 3, path, timeout: 0 })).rejects.toThrow(
      /port 1 is not free/,
    )
    const client = Vchan.connect(ends.client, { domid: 3, path })
    const server = await Vchan.serve(ends.server, { domid: 5, path })
    ends.keep(server, await client)
  })

  it('refuses bad arguments before anything is done', async () => {
    const serve = (options: object) => Vchan.serve(ends.server, options as never)
    const connect = (options: object) => Vchan.connect(ends.client, options as never)
    for (const make of [serve, connect]) {
      await expect(make({ domid: 70000, path: 'x' })).rejects.toThrow(RangeError)
      await expect(make({ domid: '5', path: 'x' })).rejects.toThrow(TypeError)
      await expect(make({ domid: 5, path: 'a//b' })).rejects.toThrow(TypeError)
      await expect(make({ domid: 5, path: 'x', colour: 1 })).rejects.toThrow(/colour/)
      await expect(make({ domid: 5, path: 'data/'.concat('x'.repeat(40)) })).rejects.toThrow(/49 bytes/)
    }
    await expect(serve({ domid: 5, path: 'x', sendBytes: (1 << 20) + 1 })).rejects.toThrow(RangeError)
    await expect(connect({ domid: 5, path: 'x', timeout: -1 })).rejects.toThrow(RangeError)
    await expect(Vchan.serve({} as never, { domid: 5, path: 'x' })).rejects.toThrow(/Xen/)
  })

  it('may be made of one domain with itself', async () => {
    const path = 'data/vchan/3/self'
    const [server, client] = await Promise.all([
      Vchan.serve(ends.server, { domid: 3, path }),
      Vchan.connect(ends.server, { domid: 3, path }),
    ])
    ends.keep(server, client)
    client.end('to myself')
    expect((await sum(server)).bytes).toBe(9)
  })
})

describe('closing the Xen of a vchan', () => {
  it('closes it in order, and what is being made is given up', async () => {
    const xen = await Xen.open({ on: ends.xen.domain(3) })
    const serving = Vchan.serve(xen, { domid: 5, path: 'data/vchan/5/test' })
    const client = await Vchan.connect(ends.client, { domid: 3, path: 'data/vchan/5/test' })
    ends.keep(client)
    const server = await serving
    const waiting = Vchan.serve(xen, { domid: 5, path: 'data/vchan/5/other' })
    waiting.catch(() => {})
    client.resume()
    server.on('error', () => expect.unreachable())
    const store = await xen.store()
    await store.waitFor('data/vchan/5/other/ring-ref', (value) => value !== undefined)
    await Promise.all([xen.close(), ended(client)])
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    expect(server.closed).toBe(true)
  })
})

// A peer that owns every byte of the page, and the keys, at any time.
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type DomainParts, Vchan } from 'xen-grants/vchan'
import type { RequestOptions } from 'xen-grants/xenstore'
import { Live, Page, placeOfNonce } from '../../src/vchan/layout.js'
import { rejection } from '../setup/xen.js'
import { ended, failure } from './ends.js'
import { type RawPeer, type RawServerOptions, rawClient, rawServer, writeKeys } from './raw-peer.js'
import { BASE, CLIENT, PATH, SERVER, useSharedEnds } from './shared-ends.js'

const ends = useSharedEnds()

/** A real end and a peer by hand. */
async function against(role: 'server' | 'client'): Promise<[real: Vchan, peer: RawPeer]> {
  if (role === 'client') {
    const peer = await rawServer(ends.server)
    ends.after(() => peer.close())
    const real = await Vchan.connect(ends.client, { domid: SERVER, path: PATH })
    ends.keep(real)
    return [real, peer]
  }
  const serving = serve()
  const peer = await rawClient(ends.client)
  ends.after(() => peer.close())
  const real = await serving
  ends.keep(real)
  return [real, peer]
}

function serve(signal?: AbortSignal): Promise<Vchan> {
  return Vchan.serve(ends.server, {
    domid: CLIENT,
    path: PATH,
    receiveBytes: 4096,
    sendBytes: 4096,
    ...(signal && { signal }),
  })
}

/** The client's domain, with one part of it replaced. */
function clientWith(part: Partial<DomainParts>): DomainParts {
  const { client } = ends
  return {
    grants: () => client.grants(),
    mapper: () => client.mapper(),
    events: () => client.events(),
    store: () => client.store(),
    ...part,
  }
}

async function text(stream: Vchan, bytes: number): Promise<string> {
  let all = ''
  stream.on('data', (chunk) => {
    all += chunk
  })
  while (all.length < bytes) await nextTurn()
  return all
}

describe.each(['server', 'client'] as const)('a %s whose peer', (role) => {
  const refusal = {
    code: 'ERR_GRANTS_PROTOCOL',
    domid: role === 'server' ? CLIENT : SERVER,
    path: BASE,
  }

  /** The stream ends with a protocol error, once, and gives everything back. */
  async function refused(real: Vchan, peer: RawPeer): Promise<void> {
    const errors: unknown[] = []
    real.on('error', (error) => errors.push(error))
    real.resume()
    while (!real.errored) await nextTurn()
    // It is told of when everything has been given back.
    await peer.close()
    await ended(real)
    expect(errors).toEqual([expect.objectContaining(refusal)])
  }

  /** Both directions still work. */
  async function works(real: Vchan, peer: RawPeer): Promise<void> {
    real.write('from the real end')
    peer.write('from the other')
    expect(await Promise.all([text(real, 14), peer.readAll(17)])).toEqual([
      'from the other',
      'from the real end',
    ])
  }

  describe('writes indexes', () => {
    it.each([
      ['beyond its ring', 4097],
      ['far beyond its ring', 0x8000_0000],
      ['of minus one', 0xffff_ffff],
    ])('%s', async (_, index) => {
      const [real, peer] = await against(role)
      peer.set(peer.prod, index)
      await refused(real, peer)
    })

    it('backwards', async () => {
      const [real, peer] = await against(role)
      peer.write('hello')
      expect(await text(real, 5)).toBe('hello')
      peer.set(peer.prod, 4)
      await refused(real, peer)
    })

    it.each([
      ['of what it has taken beyond what there was', 6],
      ['of what it has taken backwards', 0xffff_ffff],
    ])('%s', async (_, index) => {
      const [real, peer] = await against(role)
      await new Promise((resolve) => real.write('hello', resolve))
      peer.set(peer.cons, index)
      real.write('again')
      await refused(real, peer)
    })
  })

  it('overwrites our indexes is not listened to', async () => {
    const [real, peer] = await against(role)
    peer.write('one')
    expect(await text(real, 3)).toBe('one')
    peer.set(peer.theirCons, 77)
    peer.set(peer.theirProd, 0xffff_0000)
    real.removeAllListeners('data')
    peer.write('two')
    expect(await text(real, 3)).toBe('two')
    await new Promise((resolve) => real.write('three', resolve))
    expect(peer.get(peer.theirProd)).toBe(5)
    expect(peer.read()).toBe('three')
  })

  it('changes sizes and references once connected is not listened to', async () => {
    const [real, peer] = await against(role)
    peer.page.fill(0xff, Page.leftOrder, Page.clientLive)
    peer.page.fill(0xff, Page.grants)
    await works(real, peer)
  })

  it.each([2, 3, 7, 255])('says of itself that it is %d', async (live) => {
    const [real, peer] = await against(role)
    peer.poke(peer.live, live)
    await refused(real, peer)
  })

  it('says that it has gone is gone, also if it says afterwards that it has not', async () => {
    const [real, peer] = await against(role)
    peer.write('last words')
    peer.poke(peer.live, Live.gone)
    while (!inspect(real).includes('has gone')) await nextTurn()
    Atomics.store(peer.page, peer.live, Live.connected)
    peer.write('no more')
    const over = once(real, 'end')
    expect(await text(real, 10)).toBe('last words')
    await over
    await peer.close()
    await ended(real)
  })

  it.each([0, 2, 9])('says of us that we are %d', async (live) => {
    const [real, peer] = await against(role)
    peer.poke(peer.theirLive, live)
    await refused(real, peer)
  })

  it('says of us for a moment that we have gone', async () => {
    const [real, peer] = await against(role)
    peer.write('x')
    await text(real, 1)
    const before = real.eventsReceived
    peer.poke(peer.theirLive, Live.gone)
    while (real.eventsReceived === before) await nextTurn()
    Atomics.store(peer.page, peer.theirLive, Live.connected)
    await refused(real, peer)
  })

  it('sets every bit by which it wants to be woken is woken, and no more', async () => {
    const [real, peer] = await against(role)
    peer.poke(peer.asked, 0xff)
    await works(real, peer)
  })

  it('clears the bits by which we want to be woken makes us slow, but not stop', async () => {
    const [real, peer] = await against(role)
    const quiet = setInterval(() => Atomics.store(peer.page, peer.owed, 0), 1)
    ends.after(async () => clearInterval(quiet))
    const data = Buffer.alloc(4096 + 10, 'x')
    real.write(data)
    peer.out.fill(0x79)
    // Without an event.
    new Uint32Array(peer.page.buffer)[peer.prod] = 5
    expect(await text(real, 5)).toBe('yyyyy')
    let back = 0
    while (back < data.length) {
      const count = (peer.get(peer.theirProd) - peer.get(peer.cons)) >>> 0
      back += count
      new Uint32Array(peer.page.buffer)[peer.cons]! += count
      await nextTurn()
    }
  })

  it('floods us with events', async () => {
    const [real, peer] = await against(role)
    let flooding = true
    const flood = (async () => {
      while (flooding) {
        for (let i = 0; i < 20; i++) peer.channel.notify()
        await nextTurn()
      }
    })()
    await works(real, peer)
    flooding = false
    await flood
  })

  it('writes and reads byte after byte', async () => {
    const [real, peer] = await against(role)
    let heard = ''
    real.on('data', (chunk) => {
      heard += chunk
    })
    const said = 'x'.repeat(300)
    real.write(Buffer.alloc(5000, 'z'))
    for (const byte of said) {
      peer.write(byte)
      peer.read(1)
      await nextTurn()
    }
    while (heard.length < said.length) await nextTurn()
    expect(heard).toBe(said)
    expect(real.bytesWritten).toBeGreaterThan(4096)
    expect(real.bytesWritten).toBeLessThanOrEqual(4096 + 300)
  })

  it('never reads holds the writer up, who may leave all the same', async () => {
    const [real, peer] = await against(role)
    let told: unknown
    const whole = Buffer.alloc(1 << 20)
    const written = new Promise((resolve) => real.write(whole, resolve)).then((error) => {
      told = error
    })
    expect(real.writableNeedDrain).toBe(true)
    for (let i = 0; i < 10; i++) {
      peer.channel.notify()
      await nextTurn()
    }
    expect([real.bytesWritten, told]).toEqual([4096, undefined])
    real.end()
    const closed = once(real, 'close')
    real.destroy()
    await peer.close()
    await Promise.all([closed, written])
    expect(told).toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
  })

  it('goes without reading is told of, after what it has written', async () => {
    const [real, peer] = await against(role)
    await new Promise((resolve) => real.write('never read', resolve))
    peer.write('tail')
    Atomics.store(peer.page, peer.live, Live.gone)
    peer.channel.notify()
    const heard: string[] = []
    real.on('data', (chunk) => heard.push(String(chunk))).on('end', () => heard.push('end'))
    real.on('error', () => {})
    while (!real.errored) await nextTurn()
    expect(heard).toEqual(['tail', 'end'])
    expect(real.errored).toMatchObject({
      code: 'ECONNRESET',
      message: expect.stringContaining('10 bytes unread'),
    })
    await peer.close()
    await ended(real)
  })

  it('goes while we write fails that write, after what it has written', async () => {
    const [real, peer] = await against(role)
    const heard: string[] = []
    real.on('data', (chunk) => heard.push(String(chunk))).on('end', () => heard.push('end'))
    real.on('error', () => {})
    const written = new Promise((resolve) => real.write(Buffer.alloc(1 << 20), resolve))
    peer.write('tail')
    peer.poke(peer.live, Live.gone)
    expect(await written).toMatchObject({ code: 'EPIPE', domid: refusal.domid, path: BASE })
    expect(heard).toEqual(['tail', 'end'])
    expect(real.errored).toMatchObject({ code: 'EPIPE' })
    await peer.close()
    await ended(real)
  })

  it('writes over the whole page', async () => {
    const [real, peer] = await against(role)
    peer.page.fill(0xff)
    peer.channel.notify()
    await refused(real, peer)
  })

  it('clears the whole page, as one does that takes it back, resets the stream', async () => {
    const [real, peer] = await against(role)
    peer.page.fill(0)
    peer.channel.notify()
    expect(await failure(real)).toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('a client whose server', () => {
  const looked = (timeout = 0) => Vchan.connect(ends.client, { domid: SERVER, path: PATH, timeout })
  const refusal = { code: 'ERR_GRANTS_PROTOCOL', domid: SERVER, path: BASE }

  async function offered(options: RawServerOptions): Promise<RawPeer> {
    const peer = await rawServer(ends.server, options)
    ends.after(() => peer.close())
    return peer
  }

  const setOrders = (left: number, right: number) => (page: Uint8Array) => {
    const view = new DataView(page.buffer)
    view.setUint16(Page.leftOrder, left, true)
    view.setUint16(Page.rightOrder, right, true)
  }

  it.each([
    [0, 12],
    [9, 12],
    [12, 21],
    [32, 32],
    [65535, 65535],
    [10, 10],
    [10, 20],
  ])('has rings of order %d and %d', async (left, right) => {
    await offered({ change: setOrders(left, right) })
    expect(await rejection(looked())).toMatchObject(refusal)
  })

  it('has rings that are larger than we want', async () => {
    await offered({ orders: { left: 13, right: 12 } })
    const small = { domid: SERVER, path: PATH, timeout: 0, maxRingBytes: 4096 }
    expect(await rejection(Vchan.connect(ends.client, small))).toMatchObject(refusal)
  })

  it.each([
    ['the same reference twice', (refs: Uint32Array) => [refs[1]!, refs[1]!]],
    ['the page itself', (refs: Uint32Array) => [refs[0]!, refs[1]!]],
    ['reference 0', () => [0, 0]],
  ])('names %s', async (_, choose) => {
    const change = (page: Uint8Array, refs: Uint32Array) => {
      new Uint32Array(page.buffer).set(choose(refs), Page.grants / 4)
    }
    await offered({ change })
    expect(await rejection(looked())).toMatchObject(refusal)
  })

  it.each([
    [
      'references that are none',
      { change: (page: Uint8Array) => page.fill(0x7f, Page.grants, Page.grants + 3) },
    ],
    ['pages that may not be written to', { writable: false }],
  ])('names %s, and is not told of a client', async (_, options) => {
    const peer = await offered(options)
    expect(await rejection(looked())).toMatchObject({
      code: 'ETIMEDOUT',
      domid: SERVER,
      message: expect.stringContaining('a page of its rings cannot be mapped'),
    })
    expect(peer.page[Page.clientLive]).toBe(Live.waiting)
  })

  it('says of itself that it has gone', async () => {
    await offered({ change: (page) => (page[Page.serverLive] = Live.gone) })
    expect(await rejection(looked())).toMatchObject({
      code: 'ETIMEDOUT',
      message: expect.stringContaining('the server has closed it'),
    })
  })

  it.each([2, 77])('says of itself that it is %d', async (live) => {
    await offered({ change: (page) => (page[Page.serverLive] = live) })
    expect(await rejection(looked())).toMatchObject(refusal)
  })

  it.each([
    ['far apart', 5000, 0],
    ['the wrong way round', 0, 1],
  ])('begins with indexes %s', async (_, prod, cons) => {
    for (const at of [Page.leftProd, Page.rightProd]) {
      const peer = await offered({
        change: (page) => {
          const words = new Uint32Array(page.buffer)
          words[at / 4] = prod
          words[at / 4 - 1] = cons
        },
      })
      expect(await rejection(looked())).toMatchObject(refusal)
      await peer.close()
    }
  })

  it('begins with indexes anywhere is served', async () => {
    const peer = await offered({ change: (page) => new Uint32Array(page.buffer).fill(0xffff_fff0, 0, 4) })
    const real = await looked()
    ends.keep(real)
    real.write('across the end of all numbers')
    expect(await peer.readAll(29)).toBe('across the end of all numbers')
  })

  const keys: [string, Record<string, string | Uint8Array>][] = [
    ['empty', { 'ring-ref': '', 'event-channel': '' }],
    ['words', { 'ring-ref': 'eight', 'event-channel': 'nine' }],
    ['negative', { 'ring-ref': '-1', 'event-channel': '5' }],
    ['zero', { 'ring-ref': '0', 'event-channel': '5' }],
    ['hexadecimal', { 'ring-ref': '0x10', 'event-channel': '5' }],
    ['a fraction', { 'ring-ref': '8.5', 'event-channel': '5' }],
    ['padded', { 'ring-ref': ' 8', 'event-channel': '5' }],
    ['beyond 32 bits', { 'ring-ref': '8', 'event-channel': '4294967296' }],
    ['huge', { 'ring-ref': '9'.repeat(2000), 'event-channel': '5' }],
    ['bytes', { 'ring-ref': Uint8Array.of(0, 255, 10), 'event-channel': '5' }],
  ]
  it.each(keys)('publishes keys that are %s', async (_, wrong) => {
    await writeKeys(ends.server, wrong)
    const store = await ends.server.store()
    ends.after(() => store.remove(PATH))
    expect(await rejection(looked())).toMatchObject(refusal)
  })

  it('publishes a part of the keys', async () => {
    await writeKeys(ends.server, { 'ring-ref': '8' })
    const store = await ends.server.store()
    ends.after(() => store.remove(PATH))
    expect(await rejection(looked())).toMatchObject({
      code: 'ETIMEDOUT',
      message: expect.stringContaining('there are no keys'),
    })
  })

  it('publishes a port that is for another domain, or does not exist', async () => {
    const events = await ends.server.events()
    const foreign = await events.bindUnbound(9)
    ends.after(() => foreign.close())
    for (const port of [foreign.port, 4_000_000_000]) {
      const peer = await offered({
        keys: ({ ref }) => ({ 'ring-ref': `${ref}`, 'event-channel': `${port}` }),
      })
      expect(await rejection(looked())).toMatchObject({
        code: 'ETIMEDOUT',
        message: expect.stringContaining(`port ${port} is not free`),
      })
      await peer.close()
    }
  })

  it('has closed before its page is mapped', async () => {
    await offered({
      keys: ({ port }) => ({ 'ring-ref': '4000000000', 'event-channel': `${port}` }),
    })
    expect(await rejection(looked())).toMatchObject({
      code: 'ETIMEDOUT',
      message: expect.stringContaining('reference 4000000000 cannot be mapped'),
    })
  })

  it('is another than the one whose keys these are', async () => {
    const id = 'ab'.repeat(16)
    await offered({
      keys: ({ ref, port }) => ({ 'ring-ref': `${ref}`, 'event-channel': `${port}`, id }),
    })
    expect(await rejection(looked())).toMatchObject({
      code: 'ETIMEDOUT',
      message: expect.stringContaining('are those of a server that is gone'),
    })
  })

  it('has served another client already, which it has not noticed yet', async () => {
    const id = 'ab'.repeat(16)
    const used = (live: number) =>
      offered({
        keys: ({ ref, port }) => ({ 'ring-ref': `${ref}`, 'event-channel': `${port}`, id }),
        change: (page) => {
          page.set(Buffer.from(id, 'hex'), placeOfNonce({ left: 12, right: 12 })!)
          page[Page.clientLive] = live
        },
      })
    for (const live of [Live.gone, Live.connected]) {
      const server = await used(live)
      expect(await rejection(looked())).toMatchObject({
        code: 'ETIMEDOUT',
        message: expect.stringContaining('another client has used it'),
      })
      await server.close()
    }
    await used(Live.waiting)
    ends.keep(await looked())
  })

  it('is replaced while its keys are read: both are of the same one', async () => {
    const servers = [await rawServer(ends.server), await rawServer(ends.server)]
    ends.after(() => Promise.all(servers.map((server) => server.close())))
    const named = servers.map(({ ref, channel }) => ({
      'ring-ref': String(ref),
      'event-channel': String(channel.port),
    }))
    await writeKeys(ends.server, named[0]!)
    const store = await ends.client.store()
    let replaced = false
    const read = async (path: string, options?: RequestOptions): Promise<Buffer> => {
      if (!path.endsWith('event-channel') || replaced) return store.read(path, options)
      replaced = true
      await writeKeys(ends.server, named[1]!)
      return store.read(path, options)
    }
    const slow = new Proxy(store, {
      get(_, name) {
        if (name === 'read') return read
        const value = Reflect.get(store, name)
        return typeof value === 'function' ? value.bind(store) : value
      },
    })
    ends.keep(await Vchan.connect(clientWith({ store: async () => slow }), { domid: SERVER, path: PATH }))
    expect(replaced).toBe(true)
    expect(servers.map(({ page }) => page[Page.clientLive])).toEqual([Live.waiting, Live.connected])
  })

  it.each([
    ['is of no server', () => {}],
    ['looks like one of a server', (page: Uint8Array) => (page[Page.serverLive] = Live.connected)],
  ])('is replaced once its keys have been read, and its page is a ring now that %s', async (_, disguise) => {
    const ids = ['ab', 'cd'].map((byte) => byte.repeat(16))
    const changes = [
      (page: Uint8Array) => void disguise(page.fill(0x32)),
      (page: Uint8Array) => page.set(Buffer.from(ids[1]!, 'hex'), placeOfNonce({ left: 12, right: 12 })!),
    ]
    const servers = [await offered({ change: changes[0]! }), await offered({ change: changes[1]! })]
    const publish = (i: number) =>
      writeKeys(ends.server, {
        'ring-ref': String(servers[i]!.ref),
        'event-channel': String(servers[i]!.channel.port),
        id: ids[i]!,
      })
    await publish(0)
    let replaced = false
    const mapper = async () => {
      if (!replaced) await publish(1)
      replaced = true
      return ends.client.mapper()
    }
    ends.keep(await Vchan.connect(clientWith({ mapper }), { domid: SERVER, path: PATH }))
    expect(replaced).toBe(true)
    expect(servers[1]!.page[Page.clientLive]).toBe(Live.connected)
  })
})

describe('a server whose client', () => {
  const refusal = { code: 'ERR_GRANTS_PROTOCOL', domid: CLIENT, path: BASE }
  const connects = async (change: (peer: RawPeer) => void, greets = true): Promise<RawPeer> => {
    const peer = await rawClient(ends.client, change, greets)
    ends.after(() => peer.close())
    return peer
  }

  it.each([
    ['its own state', (peer: RawPeer) => peer.poke(peer.live, 5), false],
    ['ours', (peer: RawPeer) => peer.poke(peer.theirLive, 5), false],
    ['that we have gone', (peer: RawPeer) => peer.poke(peer.theirLive, Live.gone), true],
    ['an index', (peer: RawPeer) => peer.set(peer.prod, 4097), true],
  ])('writes nonsense before it connects: %s', async (_, change, greets) => {
    const [error] = await Promise.all([rejection(serve()), connects(change, greets)])
    expect(error).toMatchObject(refusal)
  })

  it('changes sizes and references before it connects is not listened to', async () => {
    const serving = serve()
    const peer = await connects(({ page }) => {
      page.fill(0xff, Page.leftOrder, Page.clientLive)
      page.fill(0xff, Page.grants)
    })
    const real = await serving
    ends.keep(real)
    real.write('hello')
    expect(await peer.readAll(5)).toBe('hello')
  })

  it('connects without an event, as before Xen 4.14, is found', async () => {
    const serving = serve()
    await connects(({ page, live }) => (page[live] = Live.connected), false)
    ends.keep(await serving)
  })

  it('has written and gone before it was noticed is read', async () => {
    const serving = serve()
    const peer = await connects((peer) => {
      peer.write('in a hurry')
      peer.poke(peer.live, Live.gone)
    }, false)
    const real = await serving
    ends.keep(real)
    expect(await text(real, 10)).toBe('in a hurry')
    await peer.close()
    await ended(real)
  })

  it('never unmaps keeps its pages, and nothing else', async () => {
    const serving = serve()
    const peer = await connects(() => {})
    const real = await serving
    await ended(real.destroy())
    const { ports, deferred } = await ends.xen.counters()
    expect(deferred).toBeGreaterThan(0)
    await peer.close()
    expect((await ends.xen.counters()).ports).toBeLessThanOrEqual(ports)
  })

  it('floods us with events while we wait for it to unmap', async () => {
    const serving = serve()
    const peer = await connects(() => {})
    const real = await serving
    const closed = ended(real.destroy())
    let over = false
    void closed.then(() => {
      over = true
    })
    while (!over) {
      peer.channel.notify()
      await nextTurn()
    }
  })
})

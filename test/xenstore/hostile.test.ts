import { describe, expect, it } from 'vitest'
import { XenStore, type XenStoreOptions } from 'xen-grants/xenstore'
import { encodeMessage, MessageType } from '../../src/drivers/xenbus/wire.js'
import { rejection } from '../setup/xen.js'
import { type Peer, useServer } from './fixtures/scripted-server.js'

const server = useServer()

async function connected(options?: XenStoreOptions): Promise<{ store: XenStore; peer: Peer }> {
  const peer = server.peer()
  const store = await XenStore.open({ path: server.path, ...options })
  return { store, peer: await peer }
}

/** Everything pending and everything later has this code, and the connection is closed. */
async function isLost(store: XenStore, pending: Promise<unknown>[], code: string): Promise<void> {
  for (const one of pending)
    expect(await rejection(one)).toMatchObject({ name: 'XenStoreError', code, inDoubt: true })
  expect(await rejection(store.read('/later'))).toMatchObject({
    code,
    operation: 'read',
    path: '/later',
    inDoubt: false,
  })
  expect(await store.closed).toMatchObject({ code })
  await store.close()
  await server.closed()
}

const ask = (store: XenStore) => [store.read('/a'), store.write('/b', '1'), store.transaction(() => {})]

describe('a xenstored that is none', () => {
  it.each<[string, (peer: Peer) => Promise<void> | void]>([
    [
      'answers a request that was not made',
      async (peer) => {
        const request = await peer.request()
        peer.reply({ ...request, requestId: request.requestId + 100 })
      },
    ],
    [
      'answers with another type',
      async (peer) => peer.reply(await peer.request(), 'x', { type: MessageType.getPerms }),
    ],
    ['answers with an error without a name', async (peer) => peer.refuse(await peer.request(), '')],
    [
      'answers with an error that is no name',
      async (peer) => peer.refuse(await peer.request(), '-13 \u00e9'),
    ],
    [
      'answers with more bytes than a message has',
      async (peer) => peer.reply(await peer.request(), Buffer.alloc(4097, 'x')),
    ],
    [
      'announces more than can be',
      async (peer) => {
        const message = encodeMessage({ ...(await peer.request()), payload: Buffer.alloc(0) })
        message.writeUInt32LE(0xffff_fff0, 12)
        peer.socket.write(message)
      },
    ],
    ['sends noise', async (peer) => void peer.socket.write(Buffer.alloc(64, 0xa5))],
    ['sends an event without a token', (peer) => void peer.socket.write(event('/a\0'))],
    ['sends an event without a path', (peer) => void peer.socket.write(event('\0token\0'))],
    ['sends an event with more than a token', (peer) => void peer.socket.write(event('/a\0token\0more\0'))],
    ['sends an event of a stranger', (peer) => peer.event('/a', 'token')],
  ])('that %s: all that is pending rejects, and the connection is closed', async (_, misbehave) => {
    const { store, peer } = await connected()
    const pending = ask(store)
    await misbehave(peer)
    await isLost(store, pending, 'ERR_GRANTS_PROTOCOL')
  })

  it.each<[string, (peer: Peer) => Promise<void> | void]>([
    ['without a word', async (peer) => void peer.socket.destroy()],
    ['after the requests', (peer) => peer.request().then(() => void peer.socket.end())],
    [
      'in the middle of a header',
      async (peer) => void peer.socket.end(encodeMessage(await peer.request()).subarray(0, 15)),
    ],
    [
      'in the middle of a payload',
      async (peer) => {
        const message = encodeMessage({ ...(await peer.request()), payload: Buffer.alloc(100) })
        peer.socket.end(message.subarray(0, 50))
      },
    ],
  ])('that closes %s: all that is pending rejects', async (_, misbehave) => {
    const { store, peer } = await connected()
    const pending = ask(store)
    await misbehave(peer)
    await isLost(store, pending, 'ECONNRESET')
  })

  it('that answers twice is given up with the second answer', async () => {
    const { store, peer } = await connected()
    const [first, ...others] = ask(store)
    const request = await peer.request()
    peer.reply(request, 'value')
    peer.reply(request, 'another')
    expect(String(await first)).toBe('value')
    await isLost(store, others, 'ERR_GRANTS_PROTOCOL')
  })

  it('that never answers is given up', async () => {
    const { store, peer } = await connected({ timeout: 30 })
    const pending = ask(store)
    await peer.request()
    await isLost(store, pending, 'ETIMEDOUT')
  })

  it('that answers some and forgets one is given up too', async () => {
    const { store, peer } = await connected({ timeout: 60 })
    const forgotten = rejection(store.read('/forgotten'))
    await peer.request()
    let lost = false
    void store.closed.then(() => {
      lost = true
    })
    while (!lost) {
      const read = store.read('/a').catch(() => {})
      if (!lost) peer.reply(await peer.request(), '')
      await read
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await forgotten).toMatchObject({ code: 'ETIMEDOUT', path: '/forgotten' })
  })

  it.each([
    ['an id', '', 'transaction'],
    ['an id', '0\0', 'transaction'],
    ['an id', 'abc\0', 'transaction'],
    ['an id', '4294967296\0', 'transaction'],
  ])('that answers without %s (%j) fails the request and nothing else', async (_, answer, operation) => {
    const { store, peer } = await connected()
    const begun = rejection(store.transaction(() => {}))
    peer.reply(await peer.request(MessageType.transactionStart), answer)
    expect(await begun).toMatchObject({ code: 'ERR_GRANTS_PROTOCOL', operation })
    const read = store.read('/a')
    peer.reply(await peer.request(MessageType.read), 'value')
    expect((await read).toString()).toBe('value')
    await store.close()
  })

  it.each<[string, (store: XenStore) => Promise<unknown>, string]>([
    ['write', (store) => store.write('/a', ''), 'ok\0'],
    ['mkdir', (store) => store.mkdir('/a'), ''],
    ['remove', (store) => store.remove('/a'), 'OK'],
    ['list', (store) => store.list('/a'), 'a\0b'],
    ['permissions', (store) => store.permissions('/a'), 'n0\0x1\0'],
    ['permissions', (store) => store.permissions('/a'), 'n0\0r 1\0'],
    ['domainPath', (store) => store.domainPath(1), '/local\0/domain\0'],
    ['isIntroduced', (store) => store.isIntroduced(1), 'X\0'],
    ['domid', (store) => store.domid(), '0x5'],
    ['domid', (store) => store.domid(), '65536'],
    ['watch', (store) => store.watch('/a').next(), 'NO\0'],
  ])('that answers %s with nonsense fails that and nothing else', async (operation, call, answer) => {
    const { store, peer } = await connected()
    const failed = rejection(call(store))
    peer.reply(await peer.request(), answer)
    expect(await failed).toMatchObject({ code: 'ERR_GRANTS_PROTOCOL', operation })
    expect(await Promise.race([store.closed, 'open'])).toBe('open')
    await store.close()
  })
})

describe('a xenstored that is unusual', () => {
  it('may answer out of order, in any pieces, and with errors nobody knows', async () => {
    const { store, peer } = await connected()
    const reads = ['a', 'b', 'c'].map((name) => store.readText(`/${name}`))
    const strange = rejection(store.read('/strange'))
    const requests = [await peer.request(), await peer.request(), await peer.request()]
    peer.refuse(await peer.request(), 'EQUOTA_OF_TOMORROW')
    const answers = requests.map((request) => encodeMessage({ ...request, transactionId: 99 })).reverse()
    for (const byte of Buffer.concat(answers)) {
      peer.socket.write(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await Promise.all(reads)).toEqual(['/a\0', '/b\0', '/c\0'])
    expect(await strange).toMatchObject({ code: 'EQUOTA_OF_TOMORROW', operation: 'read', path: '/strange' })
    await store.close()
  })

  it('may send a directory in one long reply, and only that', async () => {
    const { store, peer } = await connected()
    const names = Array.from({ length: 3000 }, (_, index) => `child-${index}`)
    const listed = store.list('/a')
    peer.reply(await peer.request(MessageType.directory), `${names.join('\0')}\0`)
    expect(await listed).toEqual(names)
    await store.close()
  })

  it('may know no parts: the list is as it had said too long', async () => {
    const { store, peer } = await connected()
    const listed = rejection(store.list('/a'))
    peer.refuse(await peer.request(MessageType.directory), 'E2BIG')
    peer.refuse(await peer.request(MessageType.directoryPart), 'ENOSYS')
    expect(await listed).toMatchObject({ code: 'E2BIG', operation: 'list', path: '/a' })
    await store.close()
  })

  it('is asked anew when the directory has changed between two parts, and not for ever', async () => {
    const { store, peer } = await connected()
    const listed = store.list('/a')
    peer.refuse(await peer.request(MessageType.directory), 'E2BIG')
    const part = async (offset: string, answer: string) => {
      const request = await peer.request(MessageType.directoryPart)
      expect(request.payload.toString()).toBe(`/a\0${offset}\0`)
      peer.reply(request, answer)
    }
    await part('0', '7\0a\0bc\0')
    await part('5', '8\0d\0\0')
    await part('0', '8\0a\0')
    await part('2', '8\0bc\0')
    await part('5', '8\0\0')
    expect(await listed).toEqual(['a', 'bc'])
    const empty = store.list('/a')
    peer.refuse(await peer.request(MessageType.directory), 'E2BIG')
    await part('0', '9\0\0')
    expect(await empty).toEqual([])
    const endless = rejection(store.list('/a'))
    peer.refuse(await peer.request(MessageType.directory), 'E2BIG')
    for (let generation = 0; generation < 100; generation++) {
      await part('0', `${2 * generation}\0a\0`)
      await part('2', `${2 * generation + 1}\0\0`)
    }
    expect(await endless).toMatchObject({ code: 'EAGAIN', operation: 'list', path: '/a' })
    for (const broken of ['', '7', '7\0', '7\0a', '\0a\0\0']) {
      const refused = rejection(store.list('/a'))
      peer.refuse(await peer.request(MessageType.directory), 'E2BIG')
      await part('0', broken)
      expect(await refused).toMatchObject({ code: 'ERR_GRANTS_PROTOCOL', operation: 'list' })
    }
    await store.close()
  })
})

function event(payload: string): Buffer {
  const message = {
    type: MessageType.watchEvent,
    requestId: 0,
    transactionId: 0,
    payload: Buffer.from(payload),
  }
  return encodeMessage(message)
}

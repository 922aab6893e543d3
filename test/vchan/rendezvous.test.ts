// What the keys of a vchan are taken for, and when what they name is free again.
import { expect, it } from 'vitest'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { Live, Page } from '../../src/vchan/layout.js'
import { Offer } from '../../src/vchan/offer.js'
import { Rendezvous } from '../../src/vchan/rendezvous.js'
import type { DomainParts } from '../../src/vchan/vigil.js'
import { XenStore } from '../../src/xenstore/xen-store.js'
import { type Peer, useServer } from '../xenstore/fixtures/scripted-server.js'
import { CLIENT, useSharedEnds } from './shared-ends.js'

const xenstored = useServer()
const ends = useSharedEnds()

/** Answers the requests of one look at the keys; undefined: there is no such node. */
async function answer(peer: Peer, values: Record<string, (string | undefined)[]>): Promise<string[]> {
  const asked: string[] = []
  for (let i = 0; i < 5; i++) {
    const request = await peer.request(MessageType.read)
    const name = request.payload.toString().replace(/^.*\/|\0$/g, '')
    asked.push(name)
    const value = values[name]!.shift()
    if (value === undefined) peer.refuse(request, 'ENOENT')
    else peer.reply(request, value)
  }
  return asked
}

it.each([
  ['of one server', ['aa', 'aa'], { ref: 8, port: 3, nonce: 'aa' }],
  ['of a server without a nonce', [undefined, undefined], { ref: 8, port: 3, nonce: undefined }],
  ['while another server publishes its own', ['aa', 'bb'], 'changed'],
  ['while a server without a nonce is followed by one with', [undefined, 'bb'], 'changed'],
  ['while one on libxenvchan leaves the nonce of another as it is', ['aa', 'aa'], 'changed', ['8', '9']],
  ['while all are removed', ['aa', undefined], 'changed', ['8', undefined]],
])('keys %s', async (_name, id, keys, refs = ['8', '8']) => {
  const connecting = xenstored.peer()
  const store = await XenStore.open({ path: xenstored.path })
  const reading = new Rendezvous(store, '/local/domain/3/data/x').read(undefined)
  const asked = await answer(await connecting, { id: [...id], 'ring-ref': [...refs], 'event-channel': ['3'] })
  expect(await reading).toEqual(keys)
  // The nonce is never the same again, so it has to come first and last.
  expect(asked).toEqual(['id', 'ring-ref', 'event-channel', 'ring-ref', 'id'])
  await store.close()
})

it('an offer that is taken back says so in its page before its port is free', async () => {
  const events = await ends.server.events()
  const said: number[] = []
  const parts = {
    grants: () => ends.server.grants(),
    events: async () => ({
      on() {},
      bindUnbound: async (domid: number) => {
        const channel = await events.bindUnbound(domid)
        const close = channel.close.bind(channel)
        channel.close = () => {
          said.push(Atomics.load(page, Page.serverLive))
          return close()
        }
        return channel
      },
    }),
  } as unknown as DomainParts
  const meeting = {
    base: '/local/domain/3/data/x',
    newNonce: () => Buffer.alloc(16, 7),
    withdraw: async () => {
      // It is as it was as long as its keys may be there.
      said.push(Atomics.load(page, Page.serverLive))
    },
    leave: async () => {},
  } as unknown as Rendezvous
  const sizes = { receiveBytes: 4096, sendBytes: 4096 }
  const offer = await Offer.make(parts, meeting, { domid: CLIENT, ...sizes, signal: undefined })
  const page = offer.grant.bytes
  await offer.end()
  expect(said).toEqual([Live.connected, Live.gone])
})

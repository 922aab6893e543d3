// A peer that writes random words and bytes to the shared page and its rings while data flows both ways. Whatever comes of a
// stream, it goes on or ends with an error that says what was wrong, and gives everything back.
// XEN_GRANTS_SEED=n repeats a run, XEN_GRANTS_ROUNDS=n writes so many times.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Vchan } from 'xen-grants/vchan'
import { Page } from '../../src/vchan/layout.js'
import { ended } from './ends.js'
import { type Random, randomOf, SEED } from './random.js'
import { type RawPeer, rawClient, rawServer } from './raw-peer.js'
import { CLIENT, PATH, SERVER, useSharedEnds } from './shared-ends.js'

const ends = useSharedEnds()
const ROUNDS = Number(process.env.XEN_GRANTS_ROUNDS ?? 2000)
const EXPECTED = new Set(['ERR_GRANTS_PROTOCOL', 'ECONNRESET', 'EPIPE'])

/** Values that are close to what is right are more likely to be believed. */
function strange(random: Random, near: number): number {
  const values = [0, 1, near, near + 1, near - 1, near + 4096, near - 4096, random(8192), random(2 ** 31) * 2]
  return values[random(values.length)]! >>> 0
}

/** One thing that a good peer does not do, or does at another time. */
function meddle(peer: RawPeer, random: Random): void {
  const { page } = peer
  const index = [peer.prod, peer.cons, peer.theirProd, peer.theirCons][random(4)]!
  const kinds = [
    () => peer.set(index, strange(random, peer.get(index))),
    () => peer.poke([peer.owed, peer.asked][random(2)]!, random(256)),
    () => peer.poke([peer.live, peer.theirLive][random(2)]!, random(4)),
    () => page.fill(random(256), Page.leftOrder, Page.clientLive),
    () => page.fill(random(256), Page.grants + random(1000)),
    () => peer.out.fill(random(256), random(peer.out.length)),
    () => peer.in.fill(random(256), random(peer.in.length)),
    () => peer.channel.notify(),
  ]
  // What ends a stream at once is rare, so that it comes to something before.
  const weights = [1, 8, 1, 3, 3, 8, 8, 8]
  let at = random(weights.reduce((sum, weight) => sum + weight))
  for (const [i, weight] of weights.entries()) {
    if (at < weight) {
      kinds[i]!()
      return
    }
    at -= weight
  }
}

/** As a good peer, but not always, and not always telling. */
function behave(peer: RawPeer, random: Random): void {
  if (random(2) === 0) peer.read(1 + random(4096))
  const room = peer.out.length - ((peer.get(peer.prod) - peer.get(peer.theirCons)) >>> 0)
  if (random(2) === 0 && room > 0 && room <= peer.out.length) peer.write('w'.repeat(1 + random(room)))
}

async function connected(role: 'server' | 'client'): Promise<[Vchan, RawPeer]> {
  if (role === 'client') {
    const peer = await rawServer(ends.server)
    return [await Vchan.connect(ends.client, { domid: SERVER, path: PATH }), peer]
  }
  const options = { domid: CLIENT, path: PATH, receiveBytes: 4096, sendBytes: 4096 }
  const [real, peer] = await Promise.all([Vchan.serve(ends.server, options), rawClient(ends.client)])
  return [real, peer]
}

it(`a vchan whose peer writes ${ROUNDS} times what it likes goes on or says why not (seed ${SEED})`, async () => {
  const random = randomOf(SEED)
  const outcomes: Record<string, number> = {}
  for (let round = 0; round < ROUNDS; ) {
    const [real, peer] = await connected(random(2) === 0 ? 'server' : 'client')
    const errors: (Error & { code?: string })[] = []
    real.on('error', (error) => errors.push(error))
    real.on('data', () => {})
    const write = (error?: Error | null): void => {
      if (!error && !real.writableEnded) real.write(Buffer.alloc(1 + random(6000), 'r'), write)
    }
    write()
    // So that a stream that lasts ends in other ways as well.
    const most = 1 + random(400)
    for (let i = 0; i < most && !real.destroyed; i++, round++) {
      behave(peer, random)
      meddle(peer, random)
      if (random(4) === 0) await nextTurn()
    }
    if (random(3) === 0) real.end()
    if (random(2) === 0) await peer.close()
    if (!real.destroyed) real.destroy()
    await peer.close()
    await ended(real)
    expect(errors.length).toBeLessThanOrEqual(1)
    for (const { code, message } of errors) if (!EXPECTED.has(code!)) expect.fail(`${code}: ${message}`)
    const outcome = errors[0]?.code ?? 'none'
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  console.log(`vchan fuzzer: seed ${SEED}, ${JSON.stringify(outcomes)}`)
}, 2_000_000_000)

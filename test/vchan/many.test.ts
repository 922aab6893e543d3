// Streams opened and closed one after the other leave nothing behind. XEN_GRANTS_ROUNDS=n opens so many, at most 1000.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ended } from './ends.js'
import { useSharedEnds } from './shared-ends.js'

const ends = useSharedEnds()
const STREAMS = Math.min(1000, Number(process.env.XEN_GRANTS_ROUNDS ?? 20))

/** What a process has of its own: the simulated Xen counts the rest. */
async function held(): Promise<object> {
  const parts = await Promise.all([ends.server.events(), ends.server.grants(), ends.client.mapper()])
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    listeners: parts.map((part) => part.eventNames().map((name) => part.listenerCount(name as 'close'))),
  }
}

it(`${STREAMS} streams, opened and closed, leave as much as one does`, { timeout: 600_000 }, async () => {
  let first: object | undefined
  for (let round = 0; round < STREAMS; round++) {
    const [server, client] = await ends.pair()
    const [closing, other] = round % 2 === 0 ? [server, client] : [client, server]
    const heard = once(other, 'data')
    closing.write('x')
    await heard
    if (round % 3 === 0) closing.destroy()
    else closing.end()
    await Promise.all([ended(server), ended(client)])
    if (round === 0) first = await held()
  }
  expect(await held()).toEqual(first)
})

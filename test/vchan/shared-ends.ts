import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { Vchan, type VchanServeOptions } from 'xen-grants/vchan'
import { counted, countsAgain } from '../setup/counters.js'
import { ended } from './ends.js'

export const SERVER = 3
export const CLIENT = 5
export const PATH = 'data/vchan/5/test'
export const BASE = `/local/domain/${SERVER}/${PATH}`

/**
 * Domain 3, which serves, and domain 5, which connects: the same for all tests of a file, since opening their parts takes
 * longer than most tests. After each test everything is as it was before the first.
 */
export function useSharedEnds() {
  let xen: SimulatedXen
  let server: Xen
  let client: Xen
  let before: object
  const cleanups: (() => Promise<unknown>)[] = []
  const open: Vchan[] = []
  beforeAll(async () => {
    xen = await SimulatedXen.create({ freePerIteration: 0, limit: 4096 })
    server = await Xen.open({ on: xen.domain(SERVER) })
    client = await Xen.open({ on: xen.domain(CLIENT) })
    for (const one of [server, client])
      await Promise.all([one.grants(), one.mapper(), one.events(), one.store()])
    before = await counted(xen)
  })
  afterEach(async () => {
    const closing = open.splice(0)
    for (const end of closing) end.destroy()
    // A server waits for its client to unmap.
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    await Promise.all(closing.map(ended))
    await countsAgain(xen, before)
    expect(await (await server.store()).exists(PATH)).toBe(false)
  })
  afterAll(async () => {
    await Promise.all([server.close(), client.close()])
    await xen.close()
  })
  return {
    get xen() {
      return xen
    },
    get server() {
      return server
    },
    get client() {
      return client
    },
    /** Destroys them after the test. */
    keep(...ends: Vchan[]): void {
      open.push(...ends)
    },
    /** Done after the test, the last first. */
    after(cleanup: () => Promise<unknown>): void {
      cleanups.push(cleanup)
    },
    async pair(options: Partial<VchanServeOptions> = {}): Promise<[server: Vchan, client: Vchan]> {
      const pair = await Promise.all([
        Vchan.serve(server, { domid: CLIENT, path: PATH, ...options }),
        Vchan.connect(client, { domid: SERVER, path: PATH }),
      ])
      open.push(...pair)
      return pair
    },
  }
}

import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { counted, ZERO } from './counters.js'

/**
 * A simulated Xen and a server on it, the same for all tests of a file, since to open them takes longer than most tests. After
 * each test everything is as it was before the first; a test that needs a server of another kind, or closes it, opens its own.
 */
export function useServer(
  options?: Omit<Parameters<typeof GrantServer.open>[0], 'device'>,
  simulation?: Parameters<typeof SimulatedXen.create>[0],
): { readonly xen: SimulatedXen; readonly server: GrantServer } {
  let xen: SimulatedXen
  let server: GrantServer
  let before: object
  beforeAll(async () => {
    xen = await SimulatedXen.create({ freePerIteration: 0, ...simulation })
    server = await GrantServer.open({ device: xen, ...options })
    before = await counted(xen)
  })
  afterEach(async () => {
    expect(await server.stats()).toMatchObject({ grants: 0, pages: 0, queued: 0, waiting: 0 })
    await xen.tick()
    expect(await counted(xen)).toEqual(before)
  })
  afterAll(async () => {
    await server.close()
    const { sessions, ...nothing } = ZERO
    expect(await counted(xen)).toEqual(nothing)
    await xen.close()
  })
  return {
    get xen() {
      return xen
    },
    get server() {
      return server
    },
  }
}

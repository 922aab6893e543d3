import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, type ListenOptions, listen, type Service, type ServiceSocket } from 'xen-grants/vchan'
import { counted, countsAgain } from '../setup/counters.js'
import { ended } from '../vchan/ends.js'

export const SERVER = 3
export const CLIENT = 5
export const OTHER = 7
export const NAME = 'echo'

/**
 * Domain 3, which listens, and domains 5 and 7, which connect: the same for all tests of a file. After each test everything is
 * as it was before the first.
 */
export function useServices() {
  let xen: SimulatedXen
  let domains: Map<number, Xen>
  let before: object
  const cleanups: (() => Promise<unknown>)[] = []
  const sockets: ServiceSocket[] = []
  beforeAll(async () => {
    xen = await SimulatedXen.create({ freePerIteration: 0, limit: 8192, tableCapacity: 32768 })
    const all = [SERVER, CLIENT, OTHER].map(async (domid) => [
      domid,
      await Xen.open({ on: xen.domain(domid) }),
    ])
    domains = new Map((await Promise.all(all)) as [number, Xen][])
    for (const one of domains.values())
      await Promise.all([one.grants(), one.mapper(), one.events(), one.store()])
    before = await counted(xen)
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    const open = sockets.splice(0)
    for (const socket of open) socket.destroy()
    await Promise.all(open.map(ended))
    await countsAgain(xen, before)
    const store = await domains.get(SERVER)!.store()
    for (const domid of [CLIENT, OTHER]) expect(await store.exists(`data/vchan/${domid}/${NAME}`)).toBe(false)
  })
  afterAll(async () => {
    await Promise.all([...domains.values()].map((one) => one.close()))
    await xen.close()
  })
  return {
    get xen() {
      return xen
    },
    domain(domid: number): Xen {
      return domains.get(domid)!
    },
    /** Done after the test, the last first. */
    after(cleanup: () => Promise<unknown>): void {
      cleanups.push(cleanup)
    },
    /** Destroys it after the test, and does not mind what it ends with. */
    keep<S extends ServiceSocket>(socket: S): S {
      sockets.push(socket)
      return socket.on('error', () => {})
    },
    async listen(
      options: Partial<ListenOptions> = {},
      handler?: (socket: ServiceSocket) => void,
    ): Promise<Service> {
      const all = { name: NAME, domids: [CLIENT, OTHER], ...options }
      const service = await listen(domains.get(SERVER)!, all, handler)
      cleanups.push(() => service.close({ force: true }))
      return service
    },
    async connect(
      domid = CLIENT,
      options: { timeout?: number; signal?: AbortSignal } = {},
    ): Promise<ServiceSocket> {
      return this.keep(await connect(domains.get(domid)!, { domid: SERVER, name: NAME, ...options }))
    },
  }
}

/** What comes back, as an echo does, until there is so much of it. */
export async function exchange(socket: ServiceSocket, text: string): Promise<string> {
  socket.write(text)
  let heard = ''
  while (heard.length < text.length) {
    const [chunk] = await next(socket)
    heard += chunk
  }
  return heard
}

function next(socket: ServiceSocket): Promise<[Buffer]> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void): void => {
      socket.pause()
      socket.off('data', data).off('close', closed)
      act()
    }
    const data = (chunk: Buffer): void => done(() => resolve([chunk]))
    const closed = (): void => done(() => reject(new Error('closed before it has answered')))
    socket.on('data', data).on('close', closed).resume()
  })
}

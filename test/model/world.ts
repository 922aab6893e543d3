import { GrantServer, type UnshareOptions } from 'xen-grants'
import { type MappedGrants, SimulatedXen } from 'xen-grants/simulated'
import { LIMITS, MAX_PAGES, MAX_PAGES_PER_DOMAIN, type Model, type ModelGrant, type Wish } from './model.js'
import { LocalParty, type Party, type Shared, ThreadParty } from './party.js'

/** A mapping of a peer. It may outlive the grant. */
export interface PeerMap {
  readonly grant: ModelGrant
  readonly mapped: MappedGrants
  readonly writable: boolean
}

/** A share or unshare that has been asked for, until its end has been looked at. */
export interface Asked {
  readonly abort: AbortController
  readonly wish?: Wish
  readonly grant?: ModelGrant
  settled?: { value: Shared | undefined } | { error: Error & { code?: string; reason?: string } }
}

/** Of the parties, the first is the server's own thread, the last has a thread of its own. */
export const PARTIES = 4
const THREAD = PARTIES - 1
/** After this long, in milliseconds, something has been lost, however busy the machine is. */
const PATIENCE = 60_000
/** A server that has lost this many workers may not be given another. */
const DEATHS = 3

const key = Symbol.for('xen-grants.device-descriptor')

/** The real thing: a simulated Xen, a server whose device worker can be made to die, parties and peers. */
export class World {
  readonly parties: Party[] = []
  readonly maps: PeerMap[] = []
  readonly asked = new Set<Asked>()
  server!: GrantServer
  deaths = 0
  readonly errors: Error[] = []
  /** Events of the port before this run. */
  #eventsBefore = 0

  /** @param port what notifications send their events through */
  private constructor(
    readonly xen: SimulatedXen,
    readonly port: number,
  ) {}

  static async create(): Promise<World> {
    const xen = await SimulatedXen.create({ freePerIteration: 0, limit: LIMITS.at(-1)! })
    const world = new World(xen, await xen.bindPort())
    await world.#open()
    return world
  }

  async #open(): Promise<void> {
    const descriptor = (this.xen as unknown as Record<symbol, object>)[key]
    const module = new URL('../fixtures/mortal-device.mjs', import.meta.url).href
    this.server = await GrantServer.open({
      device: { [key]: { ...descriptor, module } } as never,
      maxPages: MAX_PAGES,
      maxPagesPerDomain: MAX_PAGES_PER_DOMAIN,
      fillers: { threads: 1 },
    })
    this.server.on('error', (error) => this.errors.push(error))
    this.deaths = 0
    await this.connectParties()
  }

  async connectParties(): Promise<void> {
    this.parties[0] = new LocalParty(this.server)
    for (let i = 1; i < THREAD; i++) this.parties[i] = await LocalParty.connected(this.server.connect())
    await this.connectThread()
  }

  async connectThread(): Promise<void> {
    this.parties[THREAD] = await ThreadParty.connected(this.server.connect())
  }

  /** As at the beginning, so that a run does not depend on the one before it. */
  async reset(model: Model): Promise<void> {
    await Promise.all(this.maps.splice(0).map(({ mapped }) => mapped.unmap()))
    for (const asked of this.asked) asked.abort.abort(new Error('the run is over'))
    this.asked.clear()
    await this.killThread()
    const own = this.parties[0] as LocalParty
    // Together: each may hold what another gives back in order.
    await Promise.all([
      ...this.parties.slice(1, THREAD).map((party) => party.close()),
      ...[...own.grants.values()].map((grant) => grant.unshare({ force: true })),
    ])
    await this.xen.setLimit(LIMITS.at(-1)!)
    if (this.deaths >= DEATHS) {
      await this.server.close()
      await this.#open()
    } else {
      await this.until(async () => (await this.server.stats()).clients === 1)
      await this.connectParties()
    }
    model.reserve = (await this.server.stats()).reserve
    this.#eventsBefore = await this.xen.events(this.port)
  }

  /** That notifications have sent in this run. */
  async events(): Promise<number> {
    return (await this.xen.events(this.port)) - this.#eventsBefore
  }

  async killThread(): Promise<void> {
    await (this.parties[THREAD] as ThreadParty).die()
  }

  get mayDie(): boolean {
    return this.deaths < DEATHS
  }

  ask(party: number, what: { wish: Wish; writable: boolean; wait: boolean }): Asked {
    const asked: Asked = { abort: new AbortController(), wish: what.wish }
    const { domid, pages } = what.wish
    // A signal does not cross threads.
    const signal = party === THREAD ? {} : { signal: asked.abort.signal }
    const { writable, wait } = what
    return this.#track(asked, this.parties[party]!.share({ domid, pages, writable, wait, ...signal }))
  }

  unshare(party: number, grant: ModelGrant, options: UnshareOptions): Asked {
    const asked: Asked = { abort: new AbortController(), grant }
    const signal = party === THREAD ? {} : { signal: asked.abort.signal }
    return this.#track(asked, this.parties[party]!.unshare(grant.id, { ...options, ...signal }))
  }

  #track(asked: Asked, promise: Promise<unknown>): Asked {
    this.asked.add(asked)
    promise.then(
      (value) => {
        asked.settled = { value: value as Shared | undefined }
      },
      (error) => {
        asked.settled = { error }
      },
    )
    return asked
  }

  /** Waits for an event that has no promise. A step that never gets there has lost something. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const patience = performance.now() + PATIENCE
    while (!(await condition())) {
      if (performance.now() > patience) throw new Error('waited in vain')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.maps.splice(0).map(({ mapped }) => mapped.unmap()))
    await this.killThread()
    await this.server.close()
    await this.until(async () => (await this.xen.counters()).sessions === 0)
    await this.xen.tick()
  }
}

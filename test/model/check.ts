import { expect } from 'vitest'
import type { Model, ModelGrant } from './model.js'
import { LocalParty } from './party.js'
import type { Asked, World } from './world.js'

/** Grants that are gone: their references name nothing any more, unless the driver has handed them out again. */
const gone: ModelGrant[] = []

/** Lets everything that can be answered be answered, and writes it into the model. */
export async function settle(model: Model, world: World): Promise<void> {
  await world.until(async () => {
    const { waiting, queued } = await world.server.stats()
    for (const asked of [...world.asked]) if (asked.settled) take(model, world, asked)
    // Nobody waits who need not: for pages that are free, or for leases that have been returned.
    const late =
      model.verdicts(model.waiting).includes('granted') ||
      [...world.asked].some(({ grant }) => grant && !model.grants.has(grant.id))
    return queued === 0 && waiting === world.asked.size && !late
  })
}

function take(model: Model, world: World, asked: Asked): void {
  const { wish, grant, settled } = asked
  world.asked.delete(asked)
  if (wish) model.forget(wish)
  if (!settled) return
  if ('error' in settled) {
    // Withdrawn: the grant is its owner's as before.
    if (grant && settled.error === asked.abort.signal.reason && model.grants.has(grant.id)) {
      grant.unsharing = false
      grant.holders.add(grant.owner!)
    }
    return
  }
  if (wish && settled.value) {
    const { handle, refs } = settled.value
    const { id, domid, pages, writable } = handle
    expect({ domid, pages, refs: refs.length }).toEqual({ ...wish, party: undefined, refs: pages })
    const content = new Array<number>(pages).fill(0)
    const armed = new Set<number>()
    const facts = { handle, id, domid, pages, writable, refs, content, armed, unsharing: false }
    model.grants.set(id, { ...facts, owner: wish.party, holders: new Set([wish.party]) })
  }
  if (grant) bury(model, grant)
}

export function bury(model: Model, grant: ModelGrant): void {
  model.grants.delete(grant.id)
  gone.push(grant)
  if (gone.length > 4) gone.shift()
}

/** What must hold between any two steps. */
export async function verify(model: Model, world: World): Promise<void> {
  model.steps++
  expect(world.errors).toEqual([])
  await world.xen.tick()
  const [stats, counters] = await Promise.all([world.server.stats(), world.xen.counters()])
  expect(await world.events(), 'notifications that have fired').toBe(model.fired)
  const { used, reserve } = model
  const deferred = [...new Set(world.maps.map(({ grant }) => grant))].filter((grant) => !isLive(model, grant))
  const late = deferred.reduce((sum, { pages }) => sum + pages, 0)
  expect(stats).toMatchObject({ grants: model.grants.size, pages: used, reserve })
  expect(Object.values(stats.domains).reduce((sum, pages) => sum + pages, 0)).toBe(used)
  expect(counters).toMatchObject({
    grants: used + reserve,
    pages: used + reserve,
    mappings: model.grants.size,
    deferred: late,
    tableUsed: used + reserve + late,
  })
  await Promise.all([
    checkContent(model, world),
    checkAccess(model, world, deferred),
    checkViews(model, world),
  ])
}

const isLive = (model: Model, grant: ModelGrant): boolean => model.grants.get(grant.id) === grant

/** One page of one grant in one of its threads, and one page in one peer. */
async function checkContent(model: Model, world: World): Promise<void> {
  const grant = [...model.grants.values()][model.steps % Math.max(1, model.grants.size)]
  if (grant) {
    const page = model.steps % grant.pages
    const holder = [...grant.holders][model.steps % grant.holders.size]
    const at = page * 4096 + ((model.steps * 37) % 4096)
    if (holder !== undefined)
      expect(await world.parties[holder]!.read(grant.id, at)).toBe(grant.content[page])
  }
  const map = world.maps[model.steps % Math.max(1, world.maps.length)]
  if (!map) return
  const page = model.steps % map.grant.pages
  const bytes = map.mapped.bytes.subarray(page * 4096, (page + 1) * 4096)
  // Scrubbed, unless the worker died first.
  const expected = isLive(model, map.grant) ? map.grant.content[page]! : 0
  if (!map.grant.lost) expect([bytes[0], bytes[4095]]).toEqual([expected, expected])
}

/** Nobody maps what was granted to another, or for reading only, or is granted no more. */
async function checkAccess(model: Model, world: World, deferred: ModelGrant[]): Promise<void> {
  const refused = async (domid: number, refs: Uint32Array, writable = false): Promise<void> => {
    const mapped = await world.xen
      .domain(domid)
      .map(refs, { writable })
      .catch((error) => error)
    expect(mapped).toMatchObject({ code: 'EINVAL' })
  }
  const grants = [...model.grants.values()]
  const grant = grants[model.steps % Math.max(1, grants.length)]
  if (grant) {
    const { domid, refs, writable } = grant
    await refused(domid + 1, refs)
    if (!writable) await refused(domid, refs, true)
  }
  const stale = gone[model.steps % Math.max(1, gone.length)]
  if (!stale) return
  const taken = new Set([...grants, ...deferred].flatMap(({ refs }) => [...refs]))
  const free = stale.refs.filter((ref) => !taken.has(ref))
  if (free.length > 0) await refused(stale.domid, free)
}

/** What a thread no longer has is empty there; a view of what is gone for all reads zeros, and writing to it does nothing. */
async function checkViews(model: Model, world: World): Promise<void> {
  for (const [number, party] of world.parties.entries()) {
    if (!(party instanceof LocalParty)) continue
    for (const [id, view] of party.views) {
      const grant = model.grants.get(id)
      if (grant?.holders.has(number)) continue
      await world.until(() => party.grants.get(id)!.bytes.length === 0)
      if (grant) continue
      await world.until(() => view[0] === 0 && view[view.length - 1] === 0)
      // Written where others would see it, and taken back: stale views of one grant see each other.
      view[0] = 0xee
      view[0] = 0
      party.grants.delete(id)
      party.views.delete(id)
    }
  }
}

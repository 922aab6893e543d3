import { expect } from 'vitest'
import { bury, settle } from './check.js'
import { DOMAINS, LIMITS, type Model, type ModelGrant } from './model.js'
import { LocalParty } from './party.js'
import { type Asked, PARTIES, type World } from './world.js'

/** Carries out one step on both, with numbers to choose by. A step for which there is nothing to do does nothing. */
export type Step = (model: Model, world: World, pick: readonly number[]) => Promise<void>

const THREAD = PARTIES - 1
const module = new URL('../fixtures/filler.mjs', import.meta.url)

function choose<T>(from: Iterable<T>, number: number): T | undefined {
  const all = [...from]
  return all[number % all.length]
}

const grantsWith = (model: Model, test: (grant: ModelGrant) => boolean): ModelGrant[] =>
  [...model.grants.values()].filter(test)

/** A grant and a party that may use it. */
function holding(
  model: Model,
  [a, b]: readonly number[],
  test = (_: number, __: ModelGrant): boolean => true,
): [ModelGrant, number] | undefined {
  const all = grantsWith(model, () => true).flatMap((grant) =>
    [...grant.holders].filter((party) => test(party, grant)).map((party) => [grant, party] as const),
  )
  const found = choose(all, a! * 31 + b!)
  return found && [...found]
}

const share: Step = async (model, world, [a, b, c, d]) => {
  const domid = choose(DOMAINS, a!)!
  // Mostly small, now and then more than a budget.
  const pages = c! % 10 === 0 ? 1 + (d! % 130) : 1 + (d! % 12)
  const [wait, writable] = [a! % 5 < 2, b! % 2 === 0]
  const wish = { party: b! % PARTIES, domid, pages }
  const verdict = model.possible(wish) ? model.verdicts([...model.waiting, wish]).at(-1)! : 'never'
  const waits = wait && verdict !== 'granted' && verdict !== 'never'
  if (waits) model.waiting.push(wish)
  const asked = world.ask(wish.party, { wish, writable, wait })
  if (!waits) await world.until(() => asked.settled !== undefined)
  await settle(model, world)
  if (verdict === 'granted') expect(asked.settled).toHaveProperty('value')
  else if (verdict === 'never') expect(asked.settled).toMatchObject({ error: { code: 'ERR_GRANTS_QUOTA' } })
  else if (waits) expect(asked.settled).toBeUndefined()
  else if (verdict === 'quota') expect(asked.settled).toMatchObject({ error: { code: 'ERR_GRANTS_QUOTA' } })
  else expect(asked.settled).toMatchObject({ error: { code: 'ENOSPC', reason: 'limit' } })
}

/** Gives up waiting: for pages, or for the leases of others. */
const abort: Step = async (model, world, [a]) => {
  const may = ({ wish, grant }: Asked): boolean => (wish?.party ?? grant?.owner ?? THREAD) !== THREAD
  const asked = choose([...world.asked].filter(may), a!)
  if (!asked) return
  asked.abort.abort(new Error('changed my mind'))
  await world.until(() => asked.settled !== undefined)
  await settle(model, world)
  expect(asked.settled).toEqual({ error: asked.abort.signal.reason })
  const { grant } = asked
  if (grant) (world.parties[grant.owner!] as LocalParty).look(grant.id)
}

const write: Step = async (model, world, pick) => {
  const [grant, party] = holding(model, pick) ?? []
  if (!grant) return
  const [page, byte] = [pick[2]! % grant.pages, pick[3]! % 256]
  await world.parties[party!]!.write(grant.id, page, byte)
  grant.content[page] = byte
}

const fill: Step = async (model, world, pick) => {
  const [grant, party] = holding(model, pick) ?? []
  if (!grant) return
  await world.parties[party!]!.fill(grant.id, pick[3]! % 256)
  grant.content.fill(pick[3]! % 256)
}

const localGrant = (model: Model, world: World, pick: readonly number[]) => {
  const [grant, party] = holding(model, pick, (party) => party !== THREAD) ?? []
  const real = grant && (world.parties[party!] as LocalParty).grants.get(grant.id)
  return grant && real ? { grant, real } : undefined
}

const run: Step = async (model, world, pick) => {
  const found = localGrant(model, world, pick)
  if (!found) return
  await found.real.run(module, { sliceBytes: 4096 })
  for (let page = 0; page < found.grant.pages; page++) found.grant.content[page] = page + 1
}

const notify: Step = async (model, world, pick) => {
  const { grant, real } = localGrant(model, world, pick) ?? {}
  if (!grant || !real) return
  const page = pick[2]! % grant.pages
  // Scrubbing hides whether a byte has been cleared, so it is the events that are counted.
  const arming = pick[3]! % 4 > 0
  const set = real.setUnmapNotify(arming ? { page, clearByte: pick[3]! % 4096, port: world.port } : { page })
  if (grant.unsharing) {
    await expect(set).rejects.toMatchObject({ code: 'ERR_GRANTS_UNSHARED' })
    return
  }
  await set
  if (arming) grant.armed.add(page)
  else grant.armed.delete(page)
}

const attach: Step = async (model, world, [a, b]) => {
  const grant = choose(model.grants.values(), a!)
  const party = b! % PARTIES
  if (!grant || grant.holders.has(party) || grant.owner === party) return
  const result = await world.parties[party]!.attach(grant.handle).catch((error) => error)
  if (grant.unsharing) expect(result).toMatchObject({ code: 'ERR_GRANTS_UNSHARED' })
  else {
    expect(result).toBeUndefined()
    grant.holders.add(party)
  }
}

const detach: Step = async (model, world, pick) => {
  const [grant, party] = holding(model, pick, (party, { owner }) => party !== owner) ?? []
  if (!grant) return
  await world.parties[party!]!.unshare(grant.id, { force: pick[2]! % 2 === 0 })
  model.dropHolder(grant, party!)
}

const unshare: Step = async (model, world, [a]) => {
  const grant = choose(
    grantsWith(model, ({ owner, unsharing }) => owner !== undefined && !unsharing),
    a!,
  )
  if (!grant) return
  const owner = grant.owner!
  grant.holders.delete(owner)
  grant.unsharing = true
  const held = grant.holders.size > 0
  const asked = world.unshare(owner, grant, {})
  if (!held) bury(model, grant)
  if (!held) await world.until(() => asked.settled !== undefined)
  await settle(model, world)
  expect(asked.settled).toEqual(held ? undefined : { value: undefined })
}

const force: Step = async (model, world, [a]) => {
  const grant = choose(
    grantsWith(model, ({ owner }) => owner !== undefined),
    a!,
  )
  if (!grant) return
  const asked = world.unshare(grant.owner!, grant, { force: true })
  bury(model, grant)
  await world.until(() => asked.settled !== undefined)
  await settle(model, world)
  expect(asked.settled).toEqual({ value: undefined })
}

const map: Step = async (model, world, [a, b]) => {
  const grant = choose(model.grants.values(), a!)
  if (!grant) return
  const mapped = await world.xen
    .domain(grant.domid)
    .map(grant.refs, { writable: grant.writable && b! % 2 === 0 })
  world.maps.push({ grant, mapped, writable: grant.writable && b! % 2 === 0 })
}

const unmap: Step = async (_model, world, [a]) => {
  if (world.maps.length === 0) return
  await world.maps.splice(a! % world.maps.length, 1)[0]!.mapped.unmap()
}

const peerWrite: Step = async (model, world, [a, b, c]) => {
  const live = world.maps.filter(({ grant, writable }) => writable && model.grants.get(grant.id) === grant)
  const found = choose(live, a!)
  if (!found) return
  const [page, byte] = [b! % found.grant.pages, c! % 256]
  found.mapped.bytes.fill(byte, page * 4096, (page + 1) * 4096)
  found.grant.content[page] = byte
}

const setLimit: Step = async (model, world, [a]) => {
  model.limit = choose(LIMITS, a!)!
  await world.xen.setLimit(model.limit)
  const grant = choose(model.grants.values(), 0)
  // Any request makes the server look again; without one it does so by itself a quarter of a second later.
  if (grant) await world.server.attach({ ...grant.handle, id: 2 ** 40 }).catch(() => {})
}

const killThread: Step = async (model, world) => {
  await world.killThread()
  for (const asked of world.asked) {
    if ((asked.wish?.party ?? asked.grant?.owner) === THREAD) world.asked.delete(asked)
  }
  model.bury(THREAD)
  await world.until(async () => (await world.server.stats()).clients === THREAD)
  await world.connectThread()
}

const killWorker: Step = async (model, world) => {
  const deadly = { party: 0, domid: 101, pages: 1 }
  if (!world.mayDie || model.verdicts([...model.waiting, deadly]).at(-1) !== 'granted') return
  world.deaths++
  await expect(world.server.share({ domid: 101, pages: 1 })).rejects.toMatchObject({
    code: 'ERR_GRANTS_WORKER_DIED',
  })
  for (const grant of model.grants.values()) {
    grant.lost = true
    model.fired += grant.armed.size
  }
  model.grants.clear()
  model.waiting.length = 0
  const asked = [...world.asked].filter(({ wish, grant }) => (wish?.party ?? grant?.owner) !== THREAD)
  world.asked.clear()
  await world.until(() => asked.every(({ settled }) => settled !== undefined))
  for (const { settled } of asked)
    expect(settled).toMatchObject({ error: { code: 'ERR_GRANTS_WORKER_DIED' } })
  model.reserve = (await world.server.stats()).reserve
  expect(world.errors.splice(0)).toMatchObject([{ code: 'ERR_GRANTS_WORKER_DIED' }])
  const [, ...others] = world.parties
  await Promise.all(others.map((party) => party.close()))
  for (const view of others.flatMap((party) =>
    party instanceof LocalParty ? [...party.views.values()] : [],
  ))
    await world.until(() => view.every((byte) => byte === 0))
  await world.connectParties()
  await world.until(async () => (await world.xen.counters()).grants === model.reserve)
}

/** How often each is taken. The dear ones are rare. */
export const steps: Record<string, { step: Step; weight: number }> = {
  share: { step: share, weight: 260 },
  abort: { step: abort, weight: 60 },
  write: { step: write, weight: 110 },
  fill: { step: fill, weight: 40 },
  run: { step: run, weight: 6 },
  notify: { step: notify, weight: 40 },
  attach: { step: attach, weight: 90 },
  detach: { step: detach, weight: 90 },
  unshare: { step: unshare, weight: 130 },
  force: { step: force, weight: 30 },
  map: { step: map, weight: 80 },
  unmap: { step: unmap, weight: 75 },
  peerWrite: { step: peerWrite, weight: 40 },
  setLimit: { step: setLimit, weight: 30 },
  killThread: { step: killThread, weight: 2 },
  killWorker: { step: killWorker, weight: 1 },
}

import { isDeepStrictEqual } from 'node:util'

/** The two worlds did not do the same. Everything else that is thrown is a mistake of the test or of a world. */
export class Disagreement extends Error {}

/** Two worlds to which the same is done. */
export class Both {
  #worlds
  #log

  /**
   * @param {import('../contract/world.ts').World[]} worlds the reference first
   * @param {string[]} log gets what was done and what came of it, in words
   */
  constructor(worlds, log) {
    this.#worlds = worlds
    this.#log = log
  }

  /**
   * Does something in both worlds and compares what comes of it.
   * @param act gets the world and its number, 0 or 1. What it returns as `seen` must be the same in both; `kept` may
   *   differ, such as an address
   * @returns what was kept, one for each world, or undefined if both failed in the same way
   */
  async do(what, act) {
    const results = await this.#inBoth(what, act)
    this.#log.push(`${what}: ${inWords(results[0])}`)
    return results[0].failure ? undefined : results.map(({ kept }) => kept)
  }

  /** Only looks: worth a word only if they differ. */
  async compare(what, look) {
    await this.#inBoth(what, async (world, side) => ({ seen: await look(world, side) }))
  }

  async #inBoth(what, act) {
    const results = []
    for (const [side, world] of this.#worlds.entries()) results.push(await attempt(() => act(world, side)))
    const [expected, got] = results.map(({ seen, failure }) => (failure ? { failure } : { seen }))
    if (!isDeepStrictEqual(expected, got))
      throw new Disagreement(
        `${what}: the simulation says ${inWords(expected)}, the device says ${inWords(got)}`,
      )
    return results
  }
}

/** Both have to have fired, or neither. */
export async function compareEvents(both, [reference, other], pairs) {
  for (const [i, ports] of pairs.entries()) {
    const fired = await reference.fired(ports[0])
    const same = async (world) =>
      world === reference || (fired ? other.fired(ports[1]) : other.silent(ports[1]))
    await both.compare(`port ${i} has ${fired ? 'an' : 'no'} event`, same)
  }
}

async function attempt(act) {
  try {
    const { seen, kept } = (await act()) ?? {}
    return { seen, kept }
  } catch (error) {
    return { failure: failureOf(error) }
  }
}

/** What a caller can tell from it; texts and paths may differ. */
function failureOf(error) {
  if (/span two allocations/.test(error.message)) return { code: 'would span two allocations' }
  // What a peer is told differs: one asks through a device, the other through an object.
  if (error.ofPeer) return { code: error.code }
  if (error.name !== 'GrantError') throw error
  const { code, errno, syscall, domid, pages } = error
  return { code, errno, syscall, pages, namesDomain: domid !== undefined }
}

/** Marks what fails in it as a refusal to the peer. */
export async function asPeer(act) {
  try {
    return await act()
  } catch (error) {
    if (error.code === undefined || error.code === 'ERR_ASSERTION') throw error
    throw Object.assign(error, { ofPeer: true })
  }
}

function inWords({ failure, seen }) {
  if (failure) return failure.code
  if (seen === undefined) return 'ok'
  return Buffer.isBuffer(seen) ? `${seen.length} bytes, ${firstBytes(seen)}` : JSON.stringify(seen)
}

function firstBytes(bytes) {
  const set = [...bytes.entries()].filter(([, byte]) => byte !== 0).slice(0, 4)
  return set.length === 0 ? 'all zero' : set.map(([offset, byte]) => `[${offset}]=${byte}`).join(' ')
}

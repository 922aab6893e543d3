import { asPeer } from './both.mjs'
import { Held } from './held.mjs'
import { pick } from './operands.mjs'

const PAGE = 4096
const MOST_PEERS = 8

/** The steps of the peer, and what has been granted to it. */
export class PeerSteps {
  peers = []
  /** Of the second world, for an end before the end. */
  held = new Held()
  both
  worlds
  /** Every page ever granted, with its reference in each world. */
  #grants = []
  /** In each world, the page that a reference stands for now. */
  #current = [new Map(), new Map()]

  constructor(both, worlds) {
    this.both = both
    this.worlds = worlds
  }

  /** @param refs of one page, in each world */
  granted(refs) {
    const grant = { refs, mapped: 0, waiting: false }
    this.#grants.push(grant)
    for (const [side, ref] of refs.entries()) this.#current[side].set(ref, grant)
  }

  async peerMap({ a, b, c, d }) {
    // References that wait to be freed, or that stand for another page by now, depend on the moment.
    const grants = this.#grants
      .slice(a % (this.#grants.length || 1))
      .filter((grant) => this.#isCertain(grant))
    const chosen = grants.slice(0, 1 + (c % 4))
    if (chosen.length === 0 || this.peers.length === MOST_PEERS) return
    if (b % 8 === 7) chosen.push(chosen[0])
    const writable = d % 2 === 1
    const names = chosen.map((grant) => this.#grants.indexOf(grant)).join(' ')
    const what = `the peer maps pages ${names}${writable ? ' writable' : ''}`
    const mapped = await this.both.do(what, async (world, side) => {
      const refs = chosen.map((grant) => grant.refs[side])
      const peer = await asPeer(() => world.map(refs, { writable }))
      return { kept: side === 1 ? this.held.peerMapped(peer) : peer }
    })
    if (mapped === undefined) return
    for (const grant of chosen) grant.mapped++
    this.peers.push({ mapped, grants: chosen, writable })
  }

  async peerWrite({ a, b, c, d }) {
    const peer = pick(
      this.peers.filter(({ writable }) => writable),
      a,
    )
    if (peer === undefined) return
    const offset = (b % peer.grants.length) * PAGE + d
    await this.both.do(`the peer writes ${c + 1} at ${offset} of ${this.nameOf(peer)}`, (_, side) =>
      peer.mapped[side].write(offset, [c + 1]),
    )
  }

  async peerUnmap({ a }) {
    const peer = pick(this.peers, a)
    if (peer === undefined) return
    await this.both.do(`the peer unmaps ${this.nameOf(peer)}`, (_, side) => peer.mapped[side].unmap())
    this.peers.splice(this.peers.indexOf(peer), 1)
    const [reference] = this.worlds
    for (const grant of peer.grants) {
      grant.mapped--
      // Gone from the reference with its last mapping: it was deferred. The driver frees it within a second.
      if (grant.mapped === 0 && !(await reference.canMap(grant.refs[0]))) grant.waiting = true
    }
  }

  async canMap({ a }) {
    for (const grant of this.#grants.slice(a % (this.#grants.length || 1)).slice(0, 6))
      await this.#canMap(grant)
  }

  /** All that can be mapped at once, since each call costs; of what cannot be mapped, the first and the last few. */
  async compareGrants() {
    const [reference] = this.worlds
    const mappable = []
    const refused = []
    for (const grant of this.#grants) {
      if (this.#isCertain(grant)) {
        if (await reference.canMap(grant.refs[0])) mappable.push(grant)
        else refused.push(grant)
      }
    }
    if (mappable.length > 0)
      await this.both.compare(`can the peer map ${mappable.length} pages`, async (world, side) => {
        const refs = mappable.map((grant) => grant.refs[side])
        const peer = await asPeer(() => world.map(refs, { writable: false }))
        await peer.unmap()
      })
    for (const grant of new Set([...refused.slice(0, 3), ...refused.slice(-3)])) await this.#canMap(grant)
  }

  async #canMap(grant) {
    if (!this.#isCertain(grant)) return
    const what = `can the peer map page ${this.#grants.indexOf(grant)}`
    await this.both.compare(what, (world, side) => world.canMap(grant.refs[side]))
  }

  #isCertain(grant) {
    return !grant.waiting && grant.refs.every((ref, side) => this.#current[side].get(ref) === grant)
  }

  async compareViews() {
    for (const peer of this.peers)
      for (const page of peer.grants.keys())
        await this.both.compare(`page ${page} of ${this.nameOf(peer)}`, (_, side) =>
          peer.mapped[side].read(page * PAGE, PAGE),
        )
  }

  nameOf(peer) {
    return `peer mapping ${this.peers.indexOf(peer)}`
  }
}

import { compareEvents } from './both.mjs'
import { operand, pick } from './operands.mjs'
import { PeerSteps } from './peer-steps.mjs'

const PAGE = 4096
const MOST_FILES = 4
const MOST_MAPPINGS = 12
/** Bound by nobody in either world. */
const UNBOUND_PORT = 4000

/**
 * How often each operation is drawn. An operation whose operands do not exist does nothing, so those that make things
 * come more often than those that need them.
 */
export const GRANTING = {
  open: 2,
  allocate: 7,
  mmap: 6,
  write: 4,
  peerMap: 6,
  peerWrite: 2,
  setUnmapNotify: 6,
  munmap: 6,
  deallocate: 5,
  peerUnmap: 3,
  compareMemory: 2,
  canMap: 2,
  setLimit: 2,
  events: 1,
  close: 1,
}

/** Carries out steps in two worlds at once, and knows what exists so that operands can be taken modulo that. */
export class Interpreter extends PeerSteps {
  files = []
  mappings = []
  #ports

  constructor(both, worlds, ports) {
    super(both, worlds)
    this.#ports = ports
  }

  /** Every sequence begins with something to work on. */
  begin() {
    return this.open()
  }

  /** Everything goes, the granter first: what the peer still sees and what was signalled is compared too. */
  async finish() {
    await this.compareMemory()
    await this.compareGrants()
    const all = { a: 0, b: 0, c: 0, d: 0 }
    while (this.mappings.length > 0) await this.munmap(all)
    while (this.files.length > 0) await this.close(all)
    await this.compareMemory()
    await this.compareGrants()
    await this.events()
    while (this.peers.length > 0) await this.peerUnmap(all)
  }

  async open() {
    if (this.files.length === MOST_FILES) return
    const devices = await this.both.do('open a file', (world, side) => ({
      kept: side === 0 ? world.open() : this.held.opened(world.open()),
    }))
    this.files.push({ devices, pages: 0 })
  }

  async close({ a }) {
    const file = pick(this.files, a)
    if (file === undefined) return
    await this.both.do(`close ${this.nameOf(file)}`, (_, side) => file.devices[side].close())
    this.files.splice(this.files.indexOf(file), 1)
  }

  async allocate({ a, b, c, d }) {
    const file = pick(this.files, a)
    if (file === undefined) return
    const count = d % 8 === 7 ? b + 30 : b % 13
    const toPeer = c % 4 !== 3
    const what = `allocate ${count} pages of ${this.nameOf(file)} for ${toPeer ? 'the peer' : 'a stranger'}, flags ${c & 1}`
    const kept = await this.both.do(what, (world, side) => {
      const domid = toPeer ? world.domid : world.stranger
      const { index, refs } = file.devices[side].allocate(domid, c & 1, count)
      return { seen: { index, refs: refs.length }, kept: refs }
    })
    if (kept === undefined) return
    file.pages += count
    for (let page = 0; page < count; page++) this.granted(kept.map((refs) => refs[page]))
  }

  async deallocate({ a, b, c, d }) {
    const file = pick(this.files, a)
    if (file === undefined) return
    const index = operand.index(file, b, d)
    const what = `free ${c % 8} pages at ${index} of ${this.nameOf(file)}`
    await this.both.do(what, (_, side) => file.devices[side].deallocate(index, c % 8))
  }

  async setUnmapNotify({ a, b, c, d }) {
    const file = pick(this.files, a)
    if (file === undefined) return
    const index = operand.page(file, b) * PAGE + d
    // Action 4 does not exist.
    const action = [1, 3, 2, 1, 3, 0, 4, 7][c % 8]
    const port = (b + d) % 5 === 4 ? undefined : pick(this.#ports, b + d)
    const what = `set notification ${action} at ${index} of ${this.nameOf(file)}, port ${port ? this.#ports.indexOf(port) : 'unbound'}`
    await this.both.do(what, (_, side) =>
      file.devices[side].setUnmapNotify(index, action, port?.[side] ?? UNBOUND_PORT),
    )
  }

  async mmap({ a, b, c, d }) {
    const file = pick(this.files, a)
    if (file === undefined || this.mappings.length === MOST_MAPPINGS) return
    const index = operand.index(file, b, d)
    const count = d % 32 === 31 ? 0 : 1 + (c % 6)
    const what = `map ${count} pages at ${index} of ${this.nameOf(file)}`
    const addresses = await this.both.do(what, (_, side) => {
      const address = file.devices[side].mmap(index, count)
      if (side === 1) this.held.mapped(file.devices[1], address, count)
      return { kept: address }
    })
    if (addresses) this.mappings.push({ devices: file.devices, addresses, left: Array(count).fill(true) })
  }

  async write({ a, b, c, d }) {
    const mapping = pick(this.mappings, a)
    if (mapping === undefined) return
    const page = operand.leftPage(mapping, b)
    await this.both.do(
      `write ${c + 1} to byte ${d} of page ${page} of ${this.nameOf(mapping)}`,
      (world, side) => world.write(mapping.addresses[side] + page * PAGE + d, [c + 1]),
    )
  }

  async setLimit({ b }) {
    const limit = [undefined, 0, 5, 20, 90, -1][b % 6] ?? this.worlds[0].limit
    await this.both.do(`set the limit to ${limit}`, (world) => world.setLimit(limit))
  }

  events() {
    return compareEvents(this.both, this.worlds, this.#ports)
  }

  async compareMemory() {
    for (const mapping of this.mappings)
      for (const [page, left] of mapping.left.entries())
        if (left)
          await this.both.compare(`page ${page} of ${this.nameOf(mapping)}`, (world, side) =>
            world.read(mapping.addresses[side] + page * PAGE, PAGE),
          )
    await this.compareViews()
  }

  async munmap({ a, b, c, d }) {
    const mapping = pick(this.mappings, a)
    if (mapping === undefined) return
    const { first, count } = operand.piece(mapping, b, c, d)
    const what = `unmap ${count} pages from page ${first} of ${this.nameOf(mapping)}`
    await this.both.do(what, (_, side) => {
      const address = mapping.addresses[side] + first * PAGE
      mapping.devices[side].munmap(address, count * PAGE)
      if (side === 1) this.held.unmapped(address, count)
    })
    mapping.left.fill(false, first, first + count)
    if (!mapping.left.includes(true)) this.mappings.splice(this.mappings.indexOf(mapping), 1)
  }

  nameOf(thing) {
    if (this.files.includes(thing)) return `file ${this.files.indexOf(thing)}`
    if (this.mappings.includes(thing)) return `mapping ${this.mappings.indexOf(thing)}`
    return super.nameOf(thing)
  }
}

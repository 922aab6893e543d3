import { asPeer, compareEvents } from './both.mjs'
import { Held } from './held.mjs'
import { MapPages } from './map-pages.mjs'
import { pick } from './operands.mjs'

const PAGE = 4096
const MOST_FILES = 3
const MOST_MAPS = 10
/** Bound by nobody in either world. */
const UNBOUND_PORT = 4000

/** See GRANTING. */
export const MAPPING = {
  open: 1,
  record: 7,
  mmap: 8,
  setUnmapNotify: 7,
  write: 4,
  granterWrites: 2,
  munmap: 4,
  forget: 4,
  copy: 2,
  compareMemory: 2,
  takeBack: 1,
  events: 1,
  close: 1,
}

/** The steps of a mapper: a domain that grants to itself, through both devices. */
export class MapInterpreter {
  held = new Held()
  #both
  #worlds
  #ports
  #pages
  #files = []
  /** Recorded, and not both forgotten and unmapped. */
  #maps = []

  constructor(both, worlds, ports) {
    this.#both = both
    this.#worlds = worlds
    this.#ports = ports
    this.#pages = new MapPages(both, this.held)
  }

  async begin() {
    await this.#pages.grant()
    await this.open()
  }

  async open() {
    if (this.#files.length === MOST_FILES) return
    const devices = await this.#do('open a mapping file', (world, side) => ({
      kept: side === 0 ? world.openMap() : this.held.opened(world.openMap()),
    }))
    this.#files.push({ devices })
  }

  async record({ a, b, c, d }) {
    const file = pick(this.#files, a)
    if (file === undefined || this.#maps.length === MOST_MAPS) return
    const pages = d % 16 === 15 ? [] : this.#pages.choose(b, 1 + (c % 3))
    const what = `record ${pages.length} references (pages ${pages.map(({ name }) => name).join(' ')}) in ${this.#nameOf(file)}`
    const indices = await this.#do(what, (_, side) => {
      const index = file.devices[side].map(pages.map(({ names }) => names[side]))
      return { seen: index, kept: index }
    })
    if (indices === undefined) return
    this.#maps.push({ file, index: indices[0], pages, recorded: true, mapping: undefined })
  }

  async mmap({ a, b, d }) {
    const map = this.#recordedAs(pick(this.#maps, a))
    // What becomes of pages that wait to be freed depends on the moment.
    if (map?.file === undefined || map.pages.some(({ waiting }) => waiting)) return
    const count = map.pages.length + Number(d % 16 === 15)
    const writable = b % 3 !== 0
    const what = `map ${count} pages${writable ? ' writable' : ''} at ${map.index} of ${this.#nameOf(map.file)}`
    const addresses = await this.#do(what, (_, side) => {
      const device = map.file.devices[side]
      const address = device.mmap(map.index, count, writable)
      if (side === 1) this.held.mapped(device, address, count)
      return { kept: address }
    })
    if (addresses === undefined) return
    map.mapping = { devices: map.file.devices, addresses, writable }
    for (const page of map.pages) page.mapped = true
  }

  async setUnmapNotify({ a, b, c, d }) {
    const map = pick(this.#maps, a)
    if (map?.file === undefined) return
    const action = [1, 3, 2, 1, 3, 0, 4, 7][c % 8]
    const index = map.index + (b % (map.pages.length + 1)) * PAGE + d
    const port = (b + d) % 5 === 4 ? undefined : pick(this.#ports, b + d)
    const what = `set notification ${action} at ${index} of ${this.#nameOf(map.file)}, port ${port ? this.#ports.indexOf(port) : 'unbound'}`
    await this.#do(what, (_, side) =>
      map.file.devices[side].setUnmapNotify(index, action, port?.[side] ?? UNBOUND_PORT),
    )
  }

  async write({ a, b, c, d }) {
    const map = pick(
      this.#maps.filter(({ mapping }) => mapping?.writable),
      a,
    )
    if (map === undefined) return
    const at = (b % map.pages.length) * PAGE + d
    await this.#do(`the mapper writes ${c + 1} at ${at} of ${this.#nameOf(map)}`, (world, side) =>
      world.write(map.mapping.addresses[side] + at, [c + 1]),
    )
  }

  async munmap({ a }) {
    const map = pick(
      this.#maps.filter(({ mapping }) => mapping),
      a,
    )
    if (map === undefined) return
    const { devices, addresses } = map.mapping
    const count = map.pages.length
    await this.#do(`unmap the memory of ${this.#nameOf(map)}`, (_, side) => {
      devices[side].munmap(addresses[side], count * PAGE)
      if (side === 1) this.held.unmapped(addresses[side], count)
    })
    map.mapping = undefined
    this.#dropUnused(map)
  }

  async forget({ a, d }) {
    const map = this.#recordedAs(pick(this.#maps, a))
    if (map?.file === undefined) return
    const count = map.pages.length + Number(d % 16 === 15)
    await this.#do(`forget ${count} pages at ${map.index} of ${this.#nameOf(map.file)}`, (_, side) =>
      map.file.devices[side].unmap(map.index, count),
    )
    if (count !== map.pages.length) return
    map.recorded = false
    this.#dropUnused(map)
  }

  async copy({ a, b, c, d }) {
    const file = pick(this.#files, a)
    if (file === undefined) return
    const [from, to] = [this.#pages.choose(b, 1)[0], this.#pages.choose(c, 1)[0]]
    if (from.waiting || to.waiting) return
    const length = 1 + (d % 64)
    const offset = d % (PAGE - length)
    const what = `copy ${length} bytes at ${offset} of page ${from.name} to page ${to.name}`
    await this.#do(what, (_, side) => {
      const grant = ({ names }) => ({ ...names[side], offset })
      const segments = [{ source: grant(from), target: grant(to), length }]
      return { seen: [...file.devices[side].copy(segments)] }
    })
  }

  granterWrites(operands) {
    return this.#pages.write(operands)
  }

  takeBack(operands) {
    return this.#pages.takeBack(operands)
  }

  async close({ a }) {
    const file = pick(this.#files, a)
    if (file === undefined) return
    await this.#do(`close ${this.#nameOf(file)}`, (_, side) => file.devices[side].close())
    this.#files.splice(this.#files.indexOf(file), 1)
    for (const map of this.#maps.filter((each) => each.file === file)) {
      map.file = undefined
      map.recorded = false
      this.#dropUnused(map)
    }
  }

  events() {
    return compareEvents(this.#both, this.#worlds, this.#ports)
  }

  async compareMemory() {
    await this.#pages.compare()
    for (const map of this.#maps)
      for (const page of map.mapping ? map.pages.keys() : [])
        await this.#both.compare(`page ${page} of ${this.#nameOf(map)}`, (world, side) =>
          world.read(map.mapping.addresses[side] + page * PAGE, PAGE),
        )
  }

  async finish() {
    await this.compareMemory()
    const all = { a: 0, b: 1, c: 0, d: 0 }
    while (this.#maps.some(({ mapping }) => mapping)) await this.munmap(all)
    while (this.#files.length > 0) await this.close(all)
    await this.compareMemory()
    await this.events()
    await this.#pages.takeBackAll()
  }

  /** Of what fails, the code: how much more is said differs between a device and the simulated kernel alone. */
  #do(what, act) {
    return this.#both.do(what, (world, side) => asPeer(async () => act(world, side)))
  }

  /** The index of one that is forgotten and still mapped may be that of another by now, which a call then means. */
  #recordedAs(map) {
    const same = ({ file, index, recorded }) => recorded && file === map?.file && index === map.index
    return this.#maps.find(same) ?? map
  }

  /** A map goes when it is forgotten and unmapped, its pages with it. */
  #dropUnused(map) {
    if (map.recorded || map.mapping) return
    this.#maps.splice(this.#maps.indexOf(map), 1)
  }

  #nameOf(thing) {
    if (this.#files.includes(thing)) return `file ${this.#files.indexOf(thing)}`
    return `map ${this.#maps.indexOf(thing)}`
  }
}

import { pick } from './operands.mjs'

const PAGE = 4096
const GRANTER = 0

/** What a mapper may try to map: pages granted to it, for reading or also for writing, to another, and none at all. */
const KINDS = [
  ...Array(4).fill({ to: 'itself', flags: 1 }),
  ...Array(2).fill({ to: 'itself', flags: 0 }),
  { to: 'a stranger', flags: 1 },
]

export class MapPages {
  #both
  #held
  #devices
  /** Those that were ever mapped may be mapped still when they are taken back: the driver frees them some time later. */
  #pages = []

  constructor(both, held) {
    this.#both = both
    this.#held = held
  }

  async grant() {
    this.#devices = await this.#both.do('open a granting file', (world, side) => ({
      kept: side === 0 ? world.open() : this.#held.opened(world.open()),
    }))
    for (const [name, { to, flags }] of KINDS.entries()) {
      const [reference, other] = await this.#both.do(
        `page ${name} for ${to}, flags ${flags}`,
        (world, side) => {
          const device = this.#devices[side]
          const { index, refs } = device.allocate(to === 'itself' ? GRANTER : world.stranger, flags, 1)
          const address = device.mmap(index, 1)
          if (side === 1) this.#held.mapped(device, address, 1)
          return { seen: index, kept: { index, address, name: { domid: GRANTER, ref: refs[0] } } }
        },
      )
      this.#pages.push({
        name: String(name),
        index: reference.index,
        addresses: [reference.address, other.address],
        names: [reference.name, other.name],
        mapped: false,
        taken: false,
        waiting: false,
      })
    }
    const none = { domid: GRANTER, ref: 0xffff_ffff }
    this.#pages.push({ name: 'none', names: [none, none], mapped: false, taken: true, waiting: false })
  }

  /** Any, those that can be mapped more often than the others. */
  choose(from, count) {
    return Array.from({ length: count }, (_, i) => {
      const number = from + i
      return number % 8 === 7 ? pick(this.#pages, number) : pick(this.#pages.slice(0, 6), number)
    })
  }

  async write({ a, b, c, d }) {
    const page = pick(this.#granted, a + b)
    if (page === undefined) return
    await this.#both.do(`the granter writes ${c + 1} at ${d} of page ${page.name}`, (world, side) =>
      world.write(page.addresses[side] + d, [c + 1]),
    )
  }

  async takeBack({ a }) {
    const page = pick(this.#granted, a)
    if (page === undefined) return
    await this.#both.do(`the granter takes page ${page.name} back`, (_, side) => {
      const device = this.#devices[side]
      device.munmap(page.addresses[side], PAGE)
      if (side === 1) this.#held.unmapped(page.addresses[side], 1)
      device.deallocate(page.index, 1)
    })
    page.taken = true
    page.waiting = page.mapped
  }

  async compare() {
    for (const page of this.#granted)
      await this.#both.compare(`page ${page.name}`, (world, side) => world.read(page.addresses[side], PAGE))
  }

  async takeBackAll() {
    while (this.#granted.length > 0) await this.takeBack({ a: 0 })
    await this.#both.do('close the granting file', (_, side) => this.#devices[side].close())
  }

  get #granted() {
    return this.#pages.filter(({ taken }) => !taken)
  }
}

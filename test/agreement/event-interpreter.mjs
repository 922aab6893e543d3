import { asPeer } from './both.mjs'
import { pick } from './operands.mjs'

const LOCAL = 0
const MOST_FILES = 3
const MOST_PORTS = 12

/** See GRANTING. */
export const EVENTS = {
  open: 1,
  bindUnbound: 5,
  bindInterdomain: 6,
  notify: 12,
  unmask: 8,
  unbind: 3,
  close: 1,
}

/** The steps of a domain that has event channels with itself. What has fired is compared after each. */
export class EventInterpreter {
  /** Its files are the only things it holds. */
  held = { giveBack: () => Promise.all(this.#files.map(({ ends }) => ends[1]?.close())) }
  #both
  #files = []
  /** Bound, each in its file. */
  #ports = []

  constructor(both) {
    this.#both = both
  }

  begin() {
    return this.open()
  }

  async open() {
    if (this.#files.length === MOST_FILES) return
    const ends = await this.#both.do('open an event file', async (world) => ({
      kept: await world.openEvents(),
    }))
    this.#files.push({ ends })
  }

  bindUnbound({ a, b }) {
    const file = pick(this.#files, a)
    const toItself = b % 8 !== 7
    const what = `bind a port for ${toItself ? 'itself' : 'a stranger'} in ${this.#nameOf(file)}`
    return this.#bind(what, file, (world, side) =>
      file.ends[side].device.bindUnbound(toItself ? LOCAL : world.stranger),
    )
  }

  async bindInterdomain({ a, b }) {
    const file = pick(this.#files, a)
    const remote = pick(this.#ports, b)
    if (remote === undefined) return
    const what = `bind to ${this.#nameOf(remote)} in ${this.#nameOf(file)}`
    await this.#bind(what, file, (_, side) =>
      file.ends[side].device.bindInterdomain(LOCAL, remote.numbers[side]),
    )
  }

  async notify({ a, b, c }) {
    const port = pick(this.#ports, a)
    if (port === undefined) return
    // One in eight through a file that may not have it.
    const file = c % 8 === 7 ? pick(this.#files, b) : port.file
    await this.#do(`notify ${this.#nameOf(port)} in ${this.#nameOf(file)}`, (_, side) =>
      file.ends[side].notify(port.numbers[side]),
    )
  }

  async unmask({ a, b, c }) {
    const port = pick(this.#ports, a)
    if (port === undefined) return
    const file = c % 8 === 7 ? pick(this.#files, b) : port.file
    await this.#do(`unmask ${this.#nameOf(port)} in ${this.#nameOf(file)}`, (_, side) =>
      file.ends[side].unmask([port.numbers[side]]),
    )
  }

  async unbind({ a, b, c }) {
    const port = pick(this.#ports, a)
    if (port === undefined) return
    const file = c % 8 === 7 ? pick(this.#files, b) : port.file
    await this.#do(`unbind ${this.#nameOf(port)} in ${this.#nameOf(file)}`, (_, side) =>
      file.ends[side].device.unbind(port.numbers[side]),
    )
    if (file === port.file) this.#ports.splice(this.#ports.indexOf(port), 1)
  }

  async close({ a }) {
    if (this.#files.length === 1) return
    await this.#close(pick(this.#files, a))
  }

  async finish() {
    while (this.#files.length > 0) await this.#close(this.#files[0])
  }

  async #close(file) {
    await this.#do(`close ${this.#nameOf(file)}`, (_, side) => file.ends[side].close(), false)
    this.#files.splice(this.#files.indexOf(file), 1)
    this.#ports = this.#ports.filter((port) => port.file !== file)
    await this.#compareFired()
  }

  async #bind(what, file, act) {
    if (this.#ports.length === MOST_PORTS) return
    const numbers = await this.#both.do(what, (world, side) =>
      asPeer(async () => ({ kept: act(world, side) })),
    )
    if (numbers !== undefined) this.#ports.push({ file, numbers })
    await this.#compareFired()
  }

  async #do(what, act, compare = true) {
    await this.#both.do(what, (world, side) => asPeer(async () => void (await act(world, side))))
    if (compare) await this.#compareFired()
  }

  /** The other world is waited for until as much has fired there, or for a while. */
  async #compareFired() {
    for (const file of this.#files) {
      const expected = file.ends[0].taken()
      const names = (numbers, side) =>
        numbers.map((number) => this.#ports.findIndex((port) => port.numbers[side] === number)).sort()
      await this.#both.compare(`what has fired in ${this.#nameOf(file)}`, async (_, side) =>
        names(side === 0 ? expected : await file.ends[1].taken(expected.length), side),
      )
    }
  }

  #nameOf(thing) {
    if (this.#files.includes(thing)) return `file ${this.#files.indexOf(thing)}`
    return `port ${this.#ports.indexOf(thing)}`
  }
}

import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { SimulatedXen } from 'xen-grants/simulated'
import { startProgram } from '../xen/guest/program.mjs'
import { keepsNothing, LocalProgram } from './local-program.mjs'
import { eventually } from './support.mjs'

const PROGRAM = fileURLToPath(new URL('./children/domain.mjs', import.meta.url))
const DOMIDS = [3, 5]

/** Domains 3 and 5 of a simulated Xen, each a process that serves test after test until one kills it. */
export async function simulatedPair() {
  return new SimulatedPair(await SimulatedXen.create({ freeInterval: 5 }))
}

/** @implements {import('./world.ts').Pair} */
class SimulatedPair {
  stranger = 7
  #xen
  #programs = []
  /** What each domain counts while its program holds nothing. */
  #idle = []

  constructor(xen) {
    this.#xen = xen
  }

  async programs() {
    const start = async (domid, side) => {
      if (this.#programs[side]?.alive) return
      const child = startProgram(process.execPath, [PROGRAM, this.#xen.path, String(domid)])
      await child.line()
      this.#programs[side] = new LocalProgram(domid, child)
      this.#idle[side] = await this.#xen.domain(domid).counters()
    }
    await Promise.all(DOMIDS.map(start))
    return [...this.#programs]
  }

  async end() {
    try {
      await this.#nothingIsLeft()
    } catch (error) {
      // What one test has left must not fail the next.
      for (const program of this.#programs) if (program.alive) await program.kill()
      throw error
    }
  }

  async #nothingIsLeft() {
    for (const [side, program] of this.#programs.entries()) {
      if (program.alive) await keepsNothing(program)
      const zero = Object.fromEntries(Object.keys(this.#idle[side]).map((name) => [name, 0]))
      await this.#counts(
        () => this.#xen.domain(program.domid).counters(),
        program.alive ? this.#idle[side] : zero,
      )
    }
  }

  async close() {
    try {
      for (const program of this.#programs) if (program.alive) await program.end()
      const counters = await this.#xen.counters()
      const zero = Object.fromEntries(Object.keys(counters).map((name) => [name, 0]))
      await this.#counts(() => this.#xen.counters(), zero)
    } finally {
      await this.#xen.close()
    }
  }

  /** In a moment: the end of a process is noticed, and pages drain. */
  async #counts(counters, wanted) {
    const matches = async () => {
      try {
        assert.deepEqual(await counters(), wanted)
        return true
      } catch {
        return false
      }
    }
    await eventually(matches, 'nothing is left').catch(async () => assert.deepEqual(await counters(), wanted))
  }
}

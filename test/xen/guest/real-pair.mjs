import { keepsNothing, LocalProgram } from '../../contract/local-program.mjs'
import { startInGuest } from './guest-program.mjs'
import { startProgram } from './program.mjs'

const SCRIPT = '../../contract/children/domain.mjs'
/** Does not exist: nobody asks whether it does. */
const STRANGER = 500

/**
 * Dom0 and a guest, each with a program that serves test after test until one kills it.
 * @implements {import('../../contract/world.ts').Pair}
 */
export class RealPair {
  stranger = STRANGER
  #guest
  #near
  #far

  /** @param guest a Guest with Node and this package */
  constructor(guest) {
    this.#guest = guest
  }

  async programs() {
    const start = async () => {
      if (this.#near?.alive) return
      const child = startProgram(process.execPath, [new URL(SCRIPT, import.meta.url).pathname])
      await child.line()
      this.#near = new LocalProgram(0, child)
    }
    const startFar = async () => {
      if (!this.#far?.alive) this.#far = await GuestProgram.start(this.#guest)
    }
    await Promise.all([start(), startFar()])
    return [this.#near, this.#far]
  }

  async end() {
    const alive = [this.#near, this.#far].filter((program) => program?.alive)
    try {
      for (const program of alive) await keepsNothing(program)
    } catch (error) {
      // What one test has left must not fail the next.
      for (const program of alive) await program.kill()
      throw error
    }
  }

  async close() {
    if (this.#near?.alive) await this.#near.end()
    if (this.#far?.alive) await this.#far.kill()
  }
}

/** children/domain.mjs in a guest. */
class GuestProgram {
  alive = true
  #guest
  #program
  #pid

  static async start(guest) {
    const program = await startInGuest(guest, SCRIPT)
    return new GuestProgram(guest, program, await program.line('ready'))
  }

  constructor(guest, program, pid) {
    this.domid = guest.domid
    this.#guest = guest
    this.#program = program
    this.#pid = pid
  }

  ask(command, request) {
    return this.#program.ask(`${command} ${JSON.stringify(request)}`)
  }

  async kill() {
    this.alive = false
    await this.#guest.run(`kill -9 ${this.#pid}`)
  }
}

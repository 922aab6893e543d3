import { systemCallError } from '../../errors.js'
import { type Call, type FaultableCall, faults } from '../wire/protocol.js'

/** Failures ordered by a test, per call and in order. */
export class Faults {
  readonly #errnos = new Map<Call, number[]>()

  add(call: FaultableCall, errno: number): void {
    const waiting = this.#errnos.get(call)
    if (waiting) waiting.push(errno)
    else this.#errnos.set(call, [errno])
  }

  /** @throws GrantError if the next one of these calls is to fail */
  check(call: Call): void {
    const errno = this.#errnos.get(call)?.shift()
    if (errno === undefined) return
    throw systemCallError(errno, faults[call as FaultableCall], `${call}, failing as ordered`)
  }
}

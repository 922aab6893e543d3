import { systemCallError } from '../../errors.js'
import { type Call, type FaultableCall, faults } from '../wire/protocol.js'

/** Failures ordered by a test, per call and in order. */
export class Faults {
  readonly #errnos = new Map<Call, number[]>()
  readonly #changed: (call: Call, ordered: boolean) => void

  /** @param changed is told when failures of a call are ordered, and when none are left */
  constructor(changed: (call: Call, ordered: boolean) => void) {
    this.#changed = changed
  }

  add(call: FaultableCall, errno: number): void {
    const waiting = this.#errnos.get(call)
    if (waiting) waiting.push(errno)
    else this.#errnos.set(call, [errno])
    this.#changed(call, true)
  }

  /** @throws GrantError if the next one of these calls is to fail */
  check(call: Call): void {
    const errnos = this.#errnos.get(call)
    const errno = errnos?.shift()
    if (errno === undefined) return
    if (errnos?.length === 0) this.#changed(call, false)
    throw systemCallError(errno, faults[call as FaultableCall], `${call}, failing as ordered`)
  }
}

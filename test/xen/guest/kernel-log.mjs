import { execFileSync } from 'node:child_process'

const TROUBLE = /WARNING:|Call Trace|\bOops\b|\bBUG\b|general protection|unable to handle|leaking g\.e\./

/** The kernel's own log: a warning with a stack trace does not reach a quiet console. */
export class KernelLog {
  #seen = this.#lines().length

  /** What the kernel complained of since the last call, with the lines around it; undefined when nothing. */
  newTrouble() {
    const lines = this.#lines()
    const fresh = lines.slice(this.#seen)
    this.#seen = lines.length
    const first = fresh.findIndex((line) => TROUBLE.test(line))
    return first < 0 ? undefined : fresh.slice(Math.max(0, first - 3), first + 30).join('\n')
  }

  #lines() {
    return execFileSync('dmesg', { encoding: 'utf8' }).split('\n')
  }
}

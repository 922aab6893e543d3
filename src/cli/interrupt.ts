import { constants } from 'node:os'
import process from 'node:process'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The program was told to end before it was done. */
export class Interrupted extends Error {
  /** As shells have it: 128 and the number of the signal. */
  readonly exitCode: number

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

/**
 * A signal that aborts, with {@link Interrupted}, when the process is told to end, so that everything is given back. The
 * second time it ends as if nobody listened.
 */
export function interruptible(): { signal: AbortSignal } & Disposable {
  const interrupted = new AbortController()
  const takeBack = (): void => {
    for (const name of SIGNALS) process.off(name, interrupt)
  }
  const interrupt = (name: (typeof SIGNALS)[number]): void => {
    takeBack()
    interrupted.abort(new Interrupted(name))
  }
  for (const name of SIGNALS) process.on(name, interrupt)
  return { signal: interrupted.signal, [Symbol.dispose]: takeBack }
}

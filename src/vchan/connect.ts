import { clearTimeout, setTimeout } from 'node:timers'
import { untilAborted } from '../abort.js'
import { GrantError } from '../errors.js'
import type { StoreWatch } from '../xenstore/watch-stream.js'
import { Attempt } from './attempt.js'
import type { ClientLink } from './client-link.js'
import { absolute, type CheckedConnect } from './options.js'
import { Rendezvous } from './rendezvous.js'
import type { DomainParts } from './vigil.js'

/** How often a server is looked for when xenstored tells of no change, in milliseconds: one with a client keeps its keys. */
const RETRY = 250

/** Waits for the server. @param stop of the caller, aborted also when the time is over */
export async function connectLink(
  parts: DomainParts,
  options: CheckedConnect,
  stop: AbortController,
): Promise<ClientLink> {
  const { domid, timeout } = options
  const { signal } = stop
  const store = await parts.store()
  const meeting = new Rendezvous(store, absolute(options.path, domid))
  const attempt = new Attempt(parts, options, meeting, signal)
  let missing = 'the first attempt has not come to an end'
  const timer = timeout && setTimeout(() => stop.abort(timedOut(options, meeting, missing)), timeout)
  try {
    const first = await attempt.run()
    if (typeof first !== 'string') return first
    if (timeout === 0) throw timedOut(options, meeting, first)
    missing = first
    // Only now: most find their server at once. It begins with a change, so none between the two is missed.
    const changes = new Changes(store.watch(meeting.leaf))
    try {
      for (;;) {
        // At first, and when no change is told, there is mostly nothing new.
        const next = (await changes.next(signal)) ? await attempt.run() : await attempt.runAgain()
        if (typeof next !== 'string') return next
        missing = next
      }
    } finally {
      // Nobody waits for that.
      changes.end()
    }
  } finally {
    clearTimeout(timer)
  }
}

function timedOut({ domid, timeout }: CheckedConnect, { base }: Rendezvous, missing: string): GrantError {
  const waited = timeout === 0 ? '' : ` after ${timeout} ms`
  const message = `no vchan of domain ${domid} at ${base}${waited}: ${missing}`
  return new GrantError('ETIMEDOUT', message, { domid, path: base })
}

/** Changes of a node, or the time at which to look all the same. */
class Changes {
  readonly #watch: StoreWatch
  #asked = false
  /** There is something to look for, and it is a change. */
  #due = false
  #changed = false
  #lost = false
  #wake = (): void => {}

  constructor(watch: StoreWatch) {
    this.#watch = watch
  }

  /** @returns whether there has been one */
  async next(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted()
    if (!this.#asked && !this.#lost) this.#ask()
    if (!this.#due) await this.#wait(signal)
    const changed = this.#changed
    this.#due = this.#changed = false
    return changed
  }

  #ask(): void {
    this.#asked = true
    this.#watch.next().then(
      ({ value }) => {
        this.#asked = false
        this.#due = true
        // It begins with what need not be one.
        this.#changed ||= value?.initial === false
        this.#wake()
      },
      // A guest has few watches; without one it is slower. What the store was lost with comes with the next request.
      () => {
        this.#lost = true
        this.#wake()
      },
    )
  }

  async #wait(signal: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = setTimeout(resolve, RETRY)
    })
    try {
      await untilAborted(woken, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  end(): void {
    void this.#watch.return?.()
  }
}

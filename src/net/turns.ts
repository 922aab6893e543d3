import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import { onAbort } from '../abort.js'
import { GrantError } from '../errors.js'
import { Semaphore } from '../semaphore.js'
import { connectLink } from '../vchan/connect.js'
import type { Link } from '../vchan/link.js'
import type { CheckedConnect } from '../vchan/options.js'
import type { DomainParts } from '../vchan/vigil.js'

/** Who connects to one service just now. */
interface Queue {
  turn: Semaphore
  /** Those who wait for their turn, and the one who has it. */
  count: number
}

/** By the service. */
const queues = new WeakMap<DomainParts, Map<string, Queue>>()

/**
 * How long one looks for the service while others wait to, in milliseconds: the first time, and at most. Doubled each time, since a
 * connection that is being made when the time is over has to be made anew.
 */
const FIRST_TURN = 250
const LONGEST_TURN = 4000

/**
 * Connects in turn with those of this program that want the same service. A service has one offer at a time for each domain: all
 * would run for it, and all but one in vain. While there is none, each looks for a while and lets the next one look: some wait
 * for a short time, and some without end.
 */
export async function connectInTurn(
  parts: DomainParts,
  options: CheckedConnect,
  stop: AbortController,
): Promise<Link> {
  const { domid, path, timeout } = options
  // Who looks once does not wait for others.
  if (timeout === 0) return connectLink(parts, options, stop)
  const own = queues.get(parts) ?? new Map<string, Queue>()
  queues.set(parts, own)
  const key = `${domid} ${path}`
  const queue = own.get(key) ?? { turn: new Semaphore(1), count: 0 }
  own.set(key, queue)
  queue.count++
  const until = timeout && performance.now() + timeout
  try {
    for (let longest = FIRST_TURN; ; longest = Math.min(2 * longest, LONGEST_TURN)) {
      const timer = until && setTimeout(() => stop.abort(tooMany(options, queue)), left(until))
      const taken = await queue.turn.take(stop.signal)
      clearTimeout(timer)
      if (!taken) throw stop.signal.reason
      try {
        const link = await takeTurn(parts, { ...options, timeout: left(until) }, stop.signal, queue, longest)
        if (link) return link
      } finally {
        queue.turn.give()
      }
    }
  } finally {
    if (--queue.count === 0) own.delete(key)
  }
}

/** @returns undefined when it is another's turn */
async function takeTurn(
  parts: DomainParts,
  options: CheckedConnect,
  signal: AbortSignal,
  queue: Queue,
  longest: number,
): Promise<Link | undefined> {
  signal.throwIfAborted()
  const stop = new AbortController()
  const takeBack = onAbort(signal, () => stop.abort(signal.reason))
  // As Vigil.open() does: otherwise each request to xenstored adds the first listener, and removes the last.
  const keep = onAbort(stop.signal, () => {})
  const next = new Error('it is the turn of another')
  let timer: NodeJS.Timeout
  const look = (): void => {
    if (queue.count > 1) stop.abort(next)
    else wait()
  }
  const wait = (): void => {
    timer = setTimeout(look, longest).unref()
  }
  wait()
  try {
    return await connectLink(parts, options, stop)
  } catch (error) {
    if (error === next) return undefined
    throw error
  } finally {
    clearTimeout(timer!)
    takeBack()
    keep()
  }
}

/** Milliseconds. A time of none would be a single look. */
function left(until: number | undefined): number | undefined {
  return until && Math.max(1, Math.ceil(until - performance.now()))
}

function tooMany({ domid, path, timeout }: CheckedConnect, { count }: Queue): GrantError {
  const others = `${count} connections of this program to it are being made`
  const message = `no connection to domain ${domid} at ${path} after ${timeout} ms: ${others}, which look for its offer in turn`
  return new GrantError('ETIMEDOUT', message, { domid, path })
}

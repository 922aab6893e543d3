import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import { GrantError } from '../errors.js'
import { Semaphore } from '../semaphore.js'
import { connectLink } from '../vchan/connect.js'
import type { Link } from '../vchan/link.js'
import type { CheckedConnect } from '../vchan/options.js'
import type { DomainParts } from '../vchan/vigil.js'

/** Who connects to a service just now, by the service. */
const turns = new WeakMap<DomainParts, Map<string, { turn: Semaphore; count: number }>>()

/**
 * Connects when those of this program that want the same service have connected, or given up. A service has one offer at a
 * time for each domain: all would run for it, and all but one in vain.
 */
export async function connectInTurn(
  parts: DomainParts,
  options: CheckedConnect,
  stop: AbortController,
): Promise<Link> {
  const { domid, path, timeout } = options
  // Who looks once does not wait for others.
  if (timeout === 0) return connectLink(parts, options, stop)
  const services = turns.get(parts) ?? new Map<string, { turn: Semaphore; count: number }>()
  turns.set(parts, services)
  const key = `${domid} ${path}`
  const service = services.get(key) ?? { turn: new Semaphore(1), count: 0 }
  services.set(key, service)
  service.count++
  const began = performance.now()
  const timer = timeout && setTimeout(() => stop.abort(tooMany(options)), timeout)
  try {
    if (!(await service.turn.take(stop.signal))) throw stop.signal.reason
    clearTimeout(timer)
    try {
      const left = timeout && Math.max(1, Math.ceil(timeout - (performance.now() - began)))
      return await connectLink(parts, { ...options, timeout: left }, stop)
    } finally {
      service.turn.give()
    }
  } finally {
    clearTimeout(timer)
    if (--service.count === 0) services.delete(key)
  }
}

function tooMany({ domid, path, timeout }: CheckedConnect): GrantError {
  const message = `no connection to domain ${domid} at ${path} after ${timeout} ms: others of this program were being made first`
  return new GrantError('ETIMEDOUT', message, { domid, path })
}

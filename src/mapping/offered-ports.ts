import { GrantError } from '../errors.js'
import type { EventChannel } from '../events/event-channel.js'
import type { EventChannels } from '../events/event-channels.js'

/** A granter's port, bound here, for as long as one mapping notifies it. */
export interface OfferedPort {
  /** Of this domain. */
  readonly port: number
  /** Idempotent, never rejects. */
  release(): Promise<void>
}

interface Bound {
  channel: Promise<EventChannel>
  users: number
}

/**
 * The ports that offers name. Xen binds a port once, and a granter may name the same one in many offers: the mappings of all of
 * them share one channel, which is closed with the last.
 */
export class OfferedPorts {
  readonly #bound = new Map<EventChannels, Map<string, Bound>>()

  /** @throws GrantError EINVAL, ESRCH, … of binding it */
  async take(events: EventChannels, domid: number, port: number): Promise<OfferedPort> {
    const key = `${domid} ${port}`
    const ports = this.#bound.get(events) ?? new Map<string, Bound>()
    this.#bound.set(events, ports)
    const bound = ports.get(key) ?? { channel: events.bindInterdomain(domid, port), users: 0 }
    ports.set(key, bound)
    bound.users++
    let released: Promise<void> | undefined
    const release = (): Promise<void> => {
      released ??= giveUp()
      return released
    }
    const giveUp = async (): Promise<void> => {
      if (--bound.users > 0) return
      if (ports.get(key) === bound) ports.delete(key)
      if (ports.size === 0 && this.#bound.get(events) === ports) this.#bound.delete(events)
      // Of one that could not be bound there is nothing to close.
      await bound.channel.then((channel) => channel.close()).catch(() => {})
    }
    try {
      return { port: (await bound.channel).port, release }
    } catch (error) {
      await release()
      throw explained(error, domid, port)
    }
  }
}

function explained(error: unknown, domid: number, port: number): unknown {
  if (!(error instanceof GrantError) || error.code !== 'EINVAL') return error
  const { errno, syscall } = error
  const hint =
    `the offer names port ${port} of domain ${domid}, which is not free to be bound: is it bound already, by another mapper or ` +
    'by a channel of your own? Map the offers of one channel with one GrantMapper, or give each mapper a channel of its own'
  return new GrantError('EINVAL', `${error.message}: ${hint}`, {
    ...(errno !== undefined && { errno }),
    ...(syscall !== undefined && { syscall }),
    domid,
    cause: error,
  })
}

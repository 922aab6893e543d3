import { performance } from 'node:perf_hooks'
import { onAbort } from '../abort.js'
import { connect } from '../vchan.js'
import { interruptible } from './interrupt.js'
import { joinPlace, type PlaceOptions } from './place.js'
import type { ServiceAddress } from './service-address.js'
import { onReaderGone } from './standard-output.js'
import { StandardInput, talk } from './stdio-talk.js'

export interface ConnectCommand extends PlaceOptions {
  /** In seconds. */
  timeout: number
  quitAfter?: number
}

/** Connects standard input and output with a service of another domain, until that closes. */
export async function connectCommand(to: ServiceAddress, command: ConnectCommand): Promise<void> {
  const { timeout: seconds, quitAfter, ...where } = command
  const { domid, name } = to
  if (name === undefined) throw new Error(`say which service of domain ${domid}: ${domid}:name`)
  using interrupt = interruptible()
  const { signal } = interrupt
  const timeout = seconds * 1000
  const began = performance.now()
  await using place = await joinPlace(where, timeout, signal)
  const left = Math.max(1, Math.ceil(timeout - (performance.now() - began)))
  const socket = await connect(place.xen, { domid, name, timeout: timeout && left, signal })
  socket.on('error', () => {})
  const stop = (): void => void socket.destroy()
  const takeBack = onAbort(signal, stop)
  onReaderGone(stop)
  try {
    using input = new StandardInput()
    await talk(socket, input, quitAfter)
    signal.throwIfAborted()
  } finally {
    takeBack()
  }
}

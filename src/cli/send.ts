import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { onAbort, untilAborted } from '../abort.js'
import { sendFile, type Transferred } from '../net/transfer/send-file.js'
import { listen } from '../vchan.js'
import { openSource } from './file-source.js'
import { interruptible } from './interrupt.js'
import { receiverOf, untilSilent } from './patience.js'
import { hostPlace, type PlaceOptions } from './place.js'
import type { ServiceAddress } from './service-address.js'
import { TransferProgress } from './transfer-progress.js'

export const DEFAULT_NAME = 'file'

export interface SendCommand extends PlaceOptions {
  to: ServiceAddress
  hash: boolean
  window: number
  /** In seconds. Default: no limit. */
  timeout?: number
}

/** Offers a file to one receiver in another domain, and ends when that has it. */
export async function send(path: string, command: SendCommand): Promise<void> {
  const { to, hash, window, timeout: seconds, ...where } = command
  using interrupt = interruptible()
  const { signal } = interrupt
  await using source = await openSource(path)
  await using place = await hostPlace(where)
  const { domid, name = DEFAULT_NAME } = to
  const options = { name, domids: [domid], window, maxConnections: 1, signal }
  await using service = await listen(place.xen, options)
  process.stderr.write(`${source.name} is offered to domain ${domid} as "${name}"; ^C takes it back\n`)
  const socket = await receiverOf(service, seconds, signal)
  // Nobody else is served.
  service.close().catch(() => {})
  const takeBack = onAbort(signal, () => socket.destroy())
  socket.on('error', () => {})
  const patient = untilSilent(socket, source, seconds)
  try {
    using progress = new TransferProgress('sending', source.size)
    const began = performance.now()
    const sending = sendFile(socket, patient, { hash, onProgress: progress.update })
    const sent = await untilAborted(sending, signal)
    process.stderr.write(summary('sent', sent, performance.now() - began))
  } finally {
    takeBack()
    socket.destroy()
  }
}

export function summary(what: string, { bytes, sha256 }: Transferred, milliseconds: number): string {
  const rate = `${(bytes / 1e6 / (milliseconds / 1000)).toFixed(0)} MB/s`
  const compared = sha256 === undefined ? 'not hashed' : `SHA-256 ${sha256} at both ends`
  return `${bytes} bytes ${what} in ${(milliseconds / 1000).toFixed(2)} s, ${rate}, ${compared}\n`
}

import { Buffer } from 'node:buffer'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { onAbort, untilAborted } from '../abort.js'
import { receiveFile } from '../net/transfer/receive-file.js'
import { connect } from '../vchan.js'
import { escaped } from './escaped.js'
import { interruptible } from './interrupt.js'
import { type Output, openOutput } from './part-file.js'
import { joinPlace, type PlaceOptions } from './place.js'
import { DEFAULT_NAME, summary } from './send.js'
import type { ServiceAddress } from './service-address.js'
import { TransferProgress } from './transfer-progress.js'

export interface ReceiveCommand extends PlaceOptions {
  from: ServiceAddress
  out: string
  force?: boolean
  /** In seconds. */
  timeout: number
  maxBytes?: number
}

/** Takes the file that another domain offers with `send`. What has not arrived whole is removed. */
export async function receive(command: ReceiveCommand): Promise<void> {
  const { from, out, force = false, timeout: seconds, maxBytes, ...where } = command
  using interrupt = interruptible()
  const { signal } = interrupt
  const timeout = seconds * 1000
  // What cannot be written is not asked for.
  await using output: Output = await openOutput(out, force, signal)
  const began = performance.now()
  await using place = await joinPlace(where, timeout, signal)
  const left = Math.max(1, Math.ceil(timeout - (performance.now() - began)))
  const { domid, name = DEFAULT_NAME } = from
  const socket = await connect(place.xen, { domid, name, timeout: timeout && left, signal })
  const takeBack = onAbort(signal, () => socket.destroy())
  socket.on('error', () => {})
  let progress: TransferProgress | undefined
  try {
    const connected = performance.now()
    const receiving = receiveFile(socket, {
      maxBytes,
      open: async ({ name: theirs, size }) => {
        process.stderr.write(
          `domain ${domid} sends "${escaped(Buffer.from(theirs))}", ${size ?? 'it does not say how many'} bytes\n`,
        )
        progress = new TransferProgress('receiving', size)
        return output
      },
      onProgress: (bytes) => progress?.update(bytes),
    })
    const received = await untilAborted(receiving, signal)
    progress?.[Symbol.dispose]()
    process.stderr.write(summary(`received in ${out},`, received, performance.now() - connected))
    if (!received.told) process.stderr.write('the sender has gone before it was told so\n')
  } finally {
    progress?.[Symbol.dispose]()
    takeBack()
    socket.destroy()
  }
}

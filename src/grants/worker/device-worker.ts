import process from 'node:process'
import { MessagePort } from 'node:worker_threads'
import { PAGE_SIZE } from '../../abi.js'
import type { DeviceModule } from '../../drivers/gntalloc/grant-device.js'
import { GrantError } from '../../errors.js'
import { pageSize } from '../../native/libc.js'
import { toEnvelope } from '../../threads/envelope.js'
import type { StartNotice } from '../../threads/thread-messages.js'
import type { DeviceControl, DeviceNotice, DeviceWorkerData, DirectConnect } from '../grant-messages.js'
import { ClientPorts, serveClient } from './client-port.js'
import { DeviceActor } from './device-actor.js'

/**
 * The device worker's thread: opens the device, reports, serves clients until told to close.
 *
 * @param control the port to the server's thread
 */
export async function runDeviceWorker(control: MessagePort, data: DeviceWorkerData): Promise<void> {
  const notify = (notice: StartNotice | DeviceNotice): void => control.postMessage(notice)
  let actor: DeviceActor
  try {
    if (pageSize() !== PAGE_SIZE) throw unsupportedPageSize(pageSize())
    const module = (await import(data.descriptor.module)) as DeviceModule
    const device = await module.openDevice(data.descriptor.options)
    actor = new DeviceActor(device, {
      server: data.server,
      serverThread: data.serverThread,
      budget: data.budget,
      scrub: data.scrub,
      onError: (error) => notify({ type: 'error', error: toEnvelope(error) }),
    })
  } catch (error) {
    notify({ type: 'failed', error: toEnvelope(error) })
    return
  }

  const ports = new ClientPorts(actor)
  control.on('message', async (message: DeviceControl) => {
    if (message.type === 'connect') {
      ports.offer(message.port)
      return
    }
    ports.turnAway()
    await actor.close(message.force)
    control.close()
    process.off('workerMessage', connectDirectly)
  })
  // Pooled workers cannot be given a port when they are made, so they send us one, past the server's thread.
  const connectDirectly = (message: Partial<DirectConnect> | undefined): void => {
    const port = message?.xenGrantsConnect
    if (port instanceof MessagePort) serveClient(actor, port)
  }
  process.on('workerMessage', connectDirectly)
  notify({ type: 'ready' })
}

function unsupportedPageSize(size: number): GrantError {
  return new GrantError(
    'ERR_GRANTS_UNSUPPORTED',
    `this kernel uses pages of ${size} bytes; grants of ${PAGE_SIZE} bytes cannot be mapped one by one there`,
  )
}

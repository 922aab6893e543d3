import { Buffer } from 'node:buffer'
import type { MessagePort } from 'node:worker_threads'
import type { StoreDevice, StoreDeviceModule } from '../../drivers/xenbus/store-device.js'
import { Header } from '../../drivers/xenbus/wire.js'
import { GrantError } from '../../errors.js'
import { toEnvelope } from '../../threads/envelope.js'
import type { StartNotice } from '../../threads/thread-messages.js'
import type { StoreControl, StoreNotice, StoreWorkerData } from '../store-messages.js'

/**
 * The store worker's thread: one that may wait inside write(), which it does for as long as xenstored takes to accept a
 * watch. It passes on bytes and understands none of them but where a request ends.
 */
export async function runStoreWorker(
  control: MessagePort,
  { module, options }: Pick<StoreWorkerData, 'module' | 'options'>,
): Promise<void> {
  const notify = (notice: StartNotice | StoreNotice): void => control.postMessage(notice)
  let device: StoreDevice
  try {
    const { openStoreDevice } = (await import(module)) as StoreDeviceModule
    device = await openStoreDevice(options)
    device.start({
      read: (bytes) => {
        // A copy of its own: what is posted is the whole memory below a view.
        const copy = Uint8Array.from(bytes)
        control.postMessage({ type: 'read', bytes: copy } satisfies StoreNotice, [copy.buffer])
      },
      failed: (error) => notify({ type: 'lost', error: toEnvelope(error) }),
    })
  } catch (error) {
    notify({ type: 'failed', error: toEnvelope(error) })
    return
  }
  control.on('message', (message: StoreControl) => {
    if (message.type === 'close') {
      device.close()
      control.close()
      return
    }
    for (const request of split(message.requests)) {
      try {
        device.write(request)
      } catch (error) {
        const code = error instanceof GrantError ? error.code : 'EIO'
        notify({ type: 'refused', requestId: request.readUInt32LE(Header.requestId), code })
      }
    }
  })
  notify({ type: 'ready' })
}

function* split(requests: Uint8Array): Generator<Buffer, void, undefined> {
  const bytes = Buffer.from(requests.buffer, requests.byteOffset, requests.byteLength)
  for (let at = 0; at < bytes.length; ) {
    const end = at + Header.size + bytes.readUInt32LE(at + Header.length)
    yield bytes.subarray(at, end)
    at = end
  }
}

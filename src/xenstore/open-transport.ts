import { stat } from 'node:fs/promises'
import process from 'node:process'
import { invalidArgType } from '../arguments.js'
import { xenbus } from '../drivers/catalogue.js'
import { type StoreDescriptor, storeDescriptor } from '../drivers/xenbus/store-device.js'
import { SocketTransport } from './socket-transport.js'
import { XenStoreError } from './store-error.js'
import type { StoreStandIn } from './store-options.js'
import type { StoreTransport } from './transport.js'

/** Where the kernel's file was before there was a device, and still is without devtmpfs. */
const OLD_DEVICE = '/proc/xen/xenbus'

/**
 * @param path as for XenStore.open
 * @throws XenStoreError when nothing can be opened: the message says why and what to do. TypeError; the signal's reason
 */
export async function openTransport(
  path: string | StoreStandIn | undefined,
  signal: AbortSignal | undefined,
): Promise<StoreTransport> {
  if (path === undefined) return openDefault(signal)
  if (typeof path === 'string') return openPath(path, signal)
  const descriptor = (path as Partial<StoreStandIn> | null)?.[storeDescriptor]
  if (!descriptor) throw invalidArgType('options.path', 'a path, a SimulatedXen or one of its domains', path)
  return openDescriptor(descriptor, signal)
}

/** As `xs_open` of libxenstore does (`tools/libs/store/xs.c`): a path that is named is not replaced by another. */
async function openDefault(signal: AbortSignal | undefined): Promise<StoreTransport> {
  const { XENSTORED_PATH: named, XENSTORED_RUNDIR: folder } = process.env
  if (named) return openPath(named, signal)
  let first: unknown
  try {
    return await openPath(`${folder || '/run/xenstored'}/socket`, signal)
  } catch (error) {
    if (!(error instanceof XenStoreError)) throw error
    first = error
  }
  const device = (await exists(xenbus.path)) || !(await exists(OLD_DEVICE)) ? xenbus.path : OLD_DEVICE
  try {
    return await openPath(device, signal)
  } catch (error) {
    if (!(error instanceof XenStoreError)) throw error
    const message = `${error.message}. Before that: ${(first as Error).message}`
    throw new XenStoreError(error.code, message, { operation: 'open', path: device, cause: error })
  }
}

/** What the file is decides, not its name. */
async function openPath(path: string, signal: AbortSignal | undefined): Promise<StoreTransport> {
  const device = await stat(path).then(
    (found) => !found.isSocket(),
    // Whoever opens it says why it cannot be, and what to do: it is a device if its name says so.
    () => path === xenbus.path || path === OLD_DEVICE,
  )
  signal?.throwIfAborted()
  if (!device) return SocketTransport.open(path, signal)
  return openDescriptor({ module: xenbus.implementation, options: { path }, path, simulated: false }, signal)
}

async function openDescriptor(
  descriptor: StoreDescriptor,
  signal: AbortSignal | undefined,
): Promise<StoreTransport> {
  if ('socket' in descriptor) return SocketTransport.open(descriptor.socket, signal)
  // Only now: it starts threads, which a socket needs none of.
  const { DeviceTransport } = await import('./device-transport.js')
  return DeviceTransport.open(descriptor, signal)
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

import { statSync } from 'node:fs'
import process from 'node:process'
import { invalidArgType } from '../arguments.js'
import { type StoreDescriptor, storeDescriptor } from '../drivers/xenbus/store-device.js'
import { SocketTransport } from './socket-transport.js'
import { XenStoreError } from './store-error.js'
import type { StoreStandIn } from './store-options.js'
import type { StoreTransport } from './transport.js'

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
  let refused: XenStoreError
  try {
    return await SocketTransport.open(`${folder || '/run/xenstored'}/socket`, signal)
  } catch (error) {
    if (!(error instanceof XenStoreError)) throw error
    refused = error
  }
  const { openOwnDevice } = await device()
  return openOwnDevice(refused, signal)
}

/** What the file is decides, not its name. What is not there may be either: then the name has to do. */
async function openPath(path: string, signal: AbortSignal | undefined): Promise<StoreTransport> {
  if (isSocket(path)) return SocketTransport.open(path, signal)
  const { openDevice } = await device()
  return openDevice(path, signal)
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket()
  } catch {
    // Opening it fails too, with an error that says what to do.
    return !/^\/(?:dev|proc)\/xen\//.test(path)
  }
}

async function openDescriptor(
  descriptor: StoreDescriptor,
  signal: AbortSignal | undefined,
): Promise<StoreTransport> {
  if ('socket' in descriptor) return SocketTransport.open(descriptor.socket, signal)
  const { DeviceTransport } = await device()
  return DeviceTransport.open(descriptor, signal)
}

/** Loaded only now: it starts a thread and knows of all devices, and a socket needs none of that. */
function device(): Promise<typeof import('./device-transport.js')> {
  return import('./device-transport.js')
}

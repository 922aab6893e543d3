import process from 'node:process'
import { postMessageToThread, threadId } from 'node:worker_threads'
import { DeviceThread } from './device-thread.js'
import type { CleanerData, OrphanMessage } from './thread-messages.js'

/*
 * What a device worker had mapped outlives it, since every client holds the memory of its own grants. Another thread has to put
 * zero pages there, or the driver keeps the pages: a thread that may load native code, and that refers to the memory while
 * it works, because by then V8 could have reused a bare address. It is started by the thread that had
 * started the device worker. Other threads, which may be terminated at any moment, send their buffers there.
 */

/** Buffers that go to the next cleaner. */
let next: { orphans: SharedArrayBuffer[]; cleaned: Promise<void> } | undefined
/** The end of the one before. One at a time: a server may have hundreds of threads, each of which sends what it holds. */
let last: Promise<unknown> = Promise.resolve()

/**
 * Puts zero pages in the place of what a dead device worker had mapped, in the order given.
 * @throws GrantError when it could not be done for some: they stay mapped until V8 frees them
 */
export function cleanUp(orphans: readonly SharedArrayBuffer[]): Promise<void> {
  if (orphans.length === 0) return Promise.resolve()
  if (!next) {
    const mine: SharedArrayBuffer[] = []
    next = { orphans: mine, cleaned: last.then(() => clean(mine)) }
    last = next.cleaned.catch(() => {})
  }
  next.orphans.push(...orphans)
  return next.cleaned
}

async function clean(orphans: SharedArrayBuffer[]): Promise<void> {
  next = undefined
  const data: Omit<CleanerData, 'gate'> = { orphans }
  await DeviceThread.start('cleaner.js', data, undefined)
}

/** As {@link cleanUp}, for a client in whatever thread. Never rejects: what is left goes with its last reference. */
export async function handOver(orphans: readonly SharedArrayBuffer[], serverThread: number): Promise<void> {
  if (orphans.length === 0) return
  try {
    if (serverThread === threadId) await cleanUp(orphans)
    else await postMessageToThread(serverThread, { xenGrantsOrphans: orphans } satisfies OrphanMessage)
  } catch {
    // That thread is gone too: the device worker went with it.
  }
}

let accepting = false

/**
 * From now on other threads may send what they hold of dead device workers of this thread; also when the server has closed,
 * since a busy thread learns of it late.
 */
export function acceptOrphans(): void {
  if (!accepting) process.on('workerMessage', accept)
  accepting = true
}

function accept(message: Partial<OrphanMessage> | undefined): void {
  const orphans = message?.xenGrantsOrphans
  if (!Array.isArray(orphans)) return
  // What fails has no caller: the pages stay with the driver until the last view is gone.
  cleanUp(orphans.filter((one) => one instanceof SharedArrayBuffer)).catch(() => {})
}

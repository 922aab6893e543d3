import { clearTimeout, setTimeout } from 'node:timers'

/**
 * Who waits for a signal. The signal has one listener of ours, however many calls it was given to: a thousand would make
 * Node warn of a leak, and are slow to tell.
 */
const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls `run` when the signal fires, unless that is taken back before.
 *
 * @param signal has not fired yet
 * @param run throws nothing
 * @returns takes it back; to be called in any case, since a signal with a listener is kept alive by Node
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  let all = waiting.get(signal)
  if (!all) {
    all = new Set()
    waiting.set(signal, all)
  }
  if (all.size === 0) signal.addEventListener('abort', tellAll)
  // The same function may be given twice.
  const own = (): void => run()
  all.add(own)
  return () => {
    if (all.delete(own) && all.size === 0) signal.removeEventListener('abort', tellAll)
  }
}

function tellAll(this: AbortSignal): void {
  const all = waiting.get(this)
  if (!all) return
  this.removeEventListener('abort', tellAll)
  // One that is told may take others back.
  for (const run of all) {
    all.delete(run)
    run()
  }
}

/**
 * The promise, or the signal's reason if that comes first. The promise goes on, and how it ends is nobody's business then.
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  if (signal.aborted) promise.catch(() => {})
  signal.throwIfAborted()
  let takeBack = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    takeBack = onAbort(signal, () => reject(signal.reason))
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    takeBack()
  }
}

/** Resolves after so many milliseconds. @throws the signal's reason, if that comes first */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  return untilAborted(over, signal).finally(() => clearTimeout(timer))
}

/** What is to be called when a signal fires. */
interface Waiting {
  readonly callbacks: Set<() => void>
  listener(): void
}

const waiting = new WeakMap<AbortSignal, Waiting>()

/**
 * Calls back when the signal fires, until {@link offAbort}. However many wait for one signal, it has one listener: of more
 * than ten Node warns, and programs do use one signal for thousands of calls.
 *
 * @param callback must not throw
 */
export function onAbort(signal: AbortSignal, callback: () => void): void {
  const known = waiting.get(signal)
  if (known) {
    known.callbacks.add(callback)
    return
  }
  const callbacks = new Set([callback])
  const listener = (): void => {
    waiting.delete(signal)
    for (const one of callbacks) one()
  }
  waiting.set(signal, { callbacks, listener })
  signal.addEventListener('abort', listener, { once: true })
}

export function offAbort(signal: AbortSignal, callback: () => void): void {
  const known = waiting.get(signal)
  if (!known?.callbacks.delete(callback) || known.callbacks.size > 0) return
  waiting.delete(signal)
  signal.removeEventListener('abort', known.listener)
}

/**
 * The promise, or the signal's reason if that comes first. The promise goes on; its maker handles its end.
 */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  signal.throwIfAborted()
  let abort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    onAbort(signal, abort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    offAbort(signal, abort)
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

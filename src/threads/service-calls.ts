import type { MessagePort } from 'node:worker_threads'
import { runs } from '../runs.js'
import { toEnvelope } from './envelope.js'
import { Answered, type Outcome } from './thread-messages.js'

/** A device's actor, as a service of its own thread. */
export interface Service {
  /** What its client may call: each answers what it returns, or throws. */
  readonly methods: object
  /** Of some methods the way to carry out several calls that follow each other, see {@link Together}. */
  readonly together?: Readonly<Record<string, Together>>
  close(): void
}

/** @param calls the arguments of each. @returns of each what it answers */
export type Together = (calls: readonly (readonly unknown[])[]) => readonly Outcome<unknown>[]

/** Before the arguments: the number, the method, how many there are. */
const HEAD = 3

interface Call {
  readonly id: number
  readonly method: string
  readonly args: readonly unknown[]
}

/**
 * What was called together is answered together. Each method checks its arguments. A port that sends anything but calls is not
 * our client's, and is closed.
 */
export function serveCalls(port: MessagePort, { methods, together = {} }: Omit<Service, 'close'>): void {
  const byName = new Map(Object.entries(methods as Record<string, (...args: unknown[]) => unknown>))
  const carryOut = (method: string, calls: readonly Call[]): readonly Outcome<unknown>[] => {
    if (calls.length > 1 && Object.hasOwn(together, method))
      return together[method]!(calls.map(({ args }) => args))
    return calls.map(({ args }) => outcome(() => byName.get(method)!(...args)))
  }
  port.on('message', (message: unknown) => {
    const calls = decode(message)
    if (!calls?.every(({ method }) => byName.has(method))) {
      port.close()
      return
    }
    const answers: unknown[] = []
    for (const run of runs(calls, (previous, next) => previous.method === next.method)) {
      const outcomes = carryOut(run[0]!.method, run)
      for (const [i, one] of outcomes.entries())
        if ('error' in one) answers.push(run[i]!.id, Answered.failed, one.error)
        else answers.push(run[i]!.id, Answered.returned, one.value)
    }
    port.postMessage(answers)
  })
}

/** @returns undefined for what is no {@link ServiceCalls} */
function decode(message: unknown): Call[] | undefined {
  if (!Array.isArray(message)) return undefined
  const calls: Call[] = []
  for (let at = 0; at < message.length; ) {
    const [id, method, count]: unknown[] = [message[at], message[at + 1], message[at + 2]]
    if (!Number.isSafeInteger(id) || typeof method !== 'string' || !Number.isSafeInteger(count))
      return undefined
    const end = at + HEAD + (count as number)
    if (end < at + HEAD || end > message.length) return undefined
    calls.push({ id: id as number, method, args: message.slice(at + HEAD, end) })
    at = end
  }
  return calls
}

/** Errors travel as data: a message keeps neither their class nor their fields. */
export function outcome<T>(call: () => T): Outcome<T> {
  try {
    return { value: call() }
  } catch (error) {
    return { error: toEnvelope(error) }
  }
}

import { AsyncLocalStorage } from 'node:async_hooks'
import process from 'node:process'
import { parentPort } from 'node:worker_threads'
import { toEnvelope } from '../threads/envelope.js'
import type { FillerNotice } from './fill-messages.js'

/** One run of a module in this thread, for as long as anything it has begun may throw. */
interface ModuleRun {
  readonly url: string
  over: boolean
}

const runs = new AsyncLocalStorage<ModuleRun>()
let current: ModuleRun | undefined

/**
 * What a module throws outside of its function (a timer of its own, a promise that it has forgotten) ends the thread, as long as
 * the run goes on: the run fails with it. When the run is over, another run is in its place, or none, which must not suffer for
 * it: the error is reported, and the thread goes on.
 */
export async function asModuleRun<T>(url: string, run: () => Promise<T>): Promise<T> {
  listen()
  const mine: ModuleRun = { url, over: false }
  current = mine
  try {
    return await runs.run(mine, run)
  } finally {
    mine.over = true
    current = undefined
  }
}

let listening = false

function listen(): void {
  if (!listening) process.on('uncaughtException', handle)
  listening = true
}

function handle(error: unknown): void {
  // Before Node 24 a microtask of queueMicrotask() does not say whose it was.
  const run = runs.getStore() ?? current
  if (run && !run.over) throw error
  const late = new Error(
    `a module of run() has thrown after the end of its run (${run?.url ?? 'which one is not known'})`,
    {
      cause: error,
    },
  )
  parentPort?.postMessage({ lateError: toEnvelope(late) } satisfies FillerNotice)
}

import { availableParallelism } from 'node:os'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import { onAbort } from '../abort.js'
import { invalidArgValue } from '../arguments.js'
import { publish } from '../diagnostics.js'
import { closedError, GrantError } from '../errors.js'
import { Semaphore } from '../semaphore.js'
import { fromEnvelope } from '../threads/envelope.js'
import { FillControl } from './control.js'
import type { FillOutcome, FillTask, FillWork } from './fill-messages.js'
import type { FillerOptions } from './filler-options.js'
import { FillerThreads } from './filler-threads.js'
import { type Range, sliceCount } from './slices.js'

/** A fill or run as the pool sees it. */
export interface Job extends Range {
  buffer: SharedArrayBuffer
  work: FillWork
  signal: AbortSignal
  /** Called with the bytes done so far, at intervals and at the end. */
  onProgress: ((bytes: number) => void) | undefined
}

function transferOf(work: FillWork): ArrayBuffer[] | undefined {
  return work.kind === 'memory' && work.bytes.buffer instanceof ArrayBuffer ? [work.bytes.buffer] : undefined
}

/** How often progress is reported, in milliseconds. */
const PROGRESS_INTERVAL = 50

/** The pooled workers of one thread: created when first needed, idle ones do not keep the process alive. */
export class FillerPool {
  readonly threads: number
  readonly #options: FillerOptions
  /** As many tasks as threads: piscina ends the thread of a task that is aborted, even one that has not begun. */
  readonly #slots: Semaphore
  #threads: Promise<FillerThreads> | undefined
  /** Those that others have replaced, until they have ended. */
  readonly #discarded = new Map<FillerThreads, Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(options: FillerOptions) {
    this.threads = options.threads ?? Math.max(1, availableParallelism())
    this.#slots = new Semaphore(this.threads)
    this.#options = options
  }

  /**
   * Resolves or rejects only when no thread touches the memory any more.
   * @returns pairs of slice index and result, for a module
   */
  async run(job: Job): Promise<[number, unknown][]> {
    if (this.#closing) throw closedError('the filler pool')
    // What has been handed over can be handed on to one thread only.
    const transfer = transferOf(job.work)
    const tasks = Math.min(transfer ? 1 : this.threads, sliceCount(job))
    if (tasks === 0) return []
    const threads = await this.#start()
    job.signal.throwIfAborted()
    const control = FillControl.create(tasks)
    const { buffer, from, to, sliceBytes, work } = job
    const running = new Set<number>()
    const outcomes = Array.from({ length: tasks }, async (_, slot): Promise<FillOutcome> => {
      const task: FillTask = { buffer, from, to, sliceBytes, control: control.buffer, slot, work }
      if (!(await this.#slots.take(job.signal))) return { results: [] }
      running.add(slot)
      try {
        return await threads.run(task, transfer)
      } catch (error) {
        // The thread has died: the others need not go on. A task that fails otherwise stops them itself.
        control.stop()
        // It could not even be started, and neither may the others.
        if (control.threadOf(slot) === 0 && !cannotBePassed(error)) this.#discard(threads)
        throw error
      } finally {
        running.delete(slot)
        this.#slots.give()
      }
    })
    let grace: NodeJS.Timeout | undefined
    const takeBack = onAbort(job.signal, () => {
      control.stop()
      if (work.kind === 'module') grace = this.#endAfterGrace(threads, control, running)
    })
    const progress = this.#report(job, control)
    try {
      return this.#collect(await Promise.allSettled(outcomes), job)
    } finally {
      takeBack()
      clearTimeout(grace)
      clearInterval(progress)
    }
  }

  #report({ onProgress }: Job, control: FillControl): NodeJS.Timeout | undefined {
    if (!onProgress) return undefined
    let last = 0
    return setInterval(() => {
      const bytes = control.doneBytes
      if (bytes !== last) onProgress(bytes)
      last = bytes
    }, PROGRESS_INTERVAL).unref()
  }

  #collect(settled: PromiseSettledResult<FillOutcome>[], { signal, work }: Job): [number, unknown][] {
    signal.throwIfAborted()
    const results: [number, unknown][] = []
    for (const outcome of settled) {
      if (outcome.status === 'rejected') throw failure(outcome.reason, work)
      if ('error' in outcome.value) throw fromEnvelope(outcome.value.error)
      results.push(...outcome.value.results)
    }
    return results
  }

  /**
   * Our own fillers stop at the next slice and are never ended in the middle of a write. A module may not listen: its
   * thread is ended after a grace period. Its task settles when the thread has gone.
   */
  #endAfterGrace(threads: FillerThreads, control: FillControl, running: Set<number>): NodeJS.Timeout {
    return setTimeout(() => {
      // A task that has not begun has the thread 0, and will find the stop.
      threads.terminate(new Set([...running].map((slot) => control.threadOf(slot))))
    }, this.#options.abortGrace ?? 1000)
  }

  #start(): Promise<FillerThreads> {
    this.#threads ??= FillerThreads.start(
      { ...this.#options, threads: this.threads },
      { failed: report, over: (threads) => this.#discard(threads) },
    ).catch((error) => {
      // What could not be started now may be later.
      this.#threads = undefined
      throw error
    })
    return this.#threads
  }

  /** The next job gets new ones. What still runs in these is waited for. */
  #discard(threads: FillerThreads): void {
    if (this.#discarded.has(threads)) return
    this.#threads = undefined
    this.#discarded.set(
      threads,
      threads.drain().finally(() => this.#discarded.delete(threads)),
    )
  }

  /** Resolves when its threads have ended. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      // What could not be started has no threads.
      const threads = await this.#threads?.catch(() => undefined)
      const all = [...this.#discarded.keys(), ...(threads ? [threads] : [])]
      await Promise.all(all.map((one) => one.destroy()))
    })()
    return this.#closing
  }
}

function report(error: Error): void {
  publish('xen-grants:error', () => ({ operation: 'filler thread', error }))
}

/** The task never left this thread. */
function cannotBePassed(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'DataCloneError'
}

function failure(reason: unknown, work: FillWork): Error {
  if (work.kind === 'module' && cannotBePassed(reason)) {
    const why = `cannot be passed to another thread (${(reason as Error).message})`
    return Object.assign(invalidArgValue('options.args', why, work.args), { cause: reason })
  }
  const what = work.kind === 'module' ? `while it ran ${work.url}` : 'while it was filling a grant'
  return new GrantError(
    'ERR_GRANTS_WORKER_DIED',
    `a filler thread died ${what}: ${(reason as Error).message}`,
    {
      cause: reason,
    },
  )
}

import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { closedError, GrantError } from '../errors.js'
import { fromEnvelope } from '../threads/envelope.js'
import { FillControl } from './control.js'
import type { FillOutcome, FillTask, FillWork } from './fill-messages.js'
import { Semaphore } from './semaphore.js'
import { type Range, sliceCount } from './slices.js'

export interface FillerOptions {
  /** Filler threads, at least 1. Default: what `os.availableParallelism()` says. They start with the first task. */
  threads?: number
  /**
   * Fills from shared memory, or with one value, of fewer bytes than this are done on the calling thread, which is never
   * held longer than a millisecond. Default 8 MiB.
   */
  inPlaceBelow?: number
  /** How long an aborted module may go on before its thread is ended, in milliseconds. Default 1000. */
  abortGrace?: number
}

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
  readonly #abortGrace: number
  readonly #onError: (error: unknown) => void
  /** As many tasks as threads: piscina ends the thread of a task that is aborted, even one that has not begun. */
  readonly #slots: Semaphore
  #pool: Promise<Piscina> | undefined
  #closing: Promise<void> | undefined

  /** @param onError is told of a worker that dies while it has nothing to do */
  constructor(options: FillerOptions, onError: (error: unknown) => void) {
    this.threads = options.threads ?? Math.max(1, availableParallelism())
    this.#slots = new Semaphore(this.threads)
    this.#abortGrace = options.abortGrace ?? 1000
    this.#onError = onError
  }

  /**
   * Resolves or rejects only when no thread touches the memory any more.
   * @returns pairs of slice index and result, for a module
   */
  async run(job: Job): Promise<[number, unknown][]> {
    if (this.#closing) throw closedError()
    // What has been handed over can be handed on to one thread only.
    const transfer = transferOf(job.work)
    const tasks = Math.min(transfer ? 1 : this.threads, sliceCount(job))
    if (tasks === 0) return []
    const pool = await this.#start()
    job.signal.throwIfAborted()
    const control = FillControl.create(tasks)
    const { buffer, from, to, sliceBytes, work } = job
    const running = new Set<number>()
    const outcomes = Array.from({ length: tasks }, async (_, slot): Promise<FillOutcome> => {
      const task: FillTask = { buffer, from, to, sliceBytes, control: control.buffer, slot, work }
      if (!(await this.#slots.take(job.signal))) return { results: [] }
      running.add(slot)
      try {
        return (await pool.run(task, transfer && { transferList: transfer })) as FillOutcome
      } catch (error) {
        // The thread has died: the others need not go on. A task that fails otherwise stops them itself.
        control.stop()
        throw error
      } finally {
        running.delete(slot)
        this.#slots.give()
      }
    })
    let grace: NodeJS.Timeout | undefined
    const abort = (): void => {
      control.stop()
      if (work.kind === 'module') grace = this.#endAfterGrace(pool, control, running)
    }
    job.signal.addEventListener('abort', abort, { once: true })
    const progress = this.#report(job, control)
    try {
      return this.#collect(await Promise.allSettled(outcomes), job)
    } finally {
      job.signal.removeEventListener('abort', abort)
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

  #collect(settled: PromiseSettledResult<FillOutcome>[], { signal }: Job): [number, unknown][] {
    signal.throwIfAborted()
    const results: [number, unknown][] = []
    for (const outcome of settled) {
      if (outcome.status === 'rejected') {
        throw new GrantError('ERR_GRANTS_WORKER_DIED', 'a filler thread died while it was filling a grant', {
          cause: outcome.reason,
        })
      }
      if ('error' in outcome.value) throw fromEnvelope(outcome.value.error)
      results.push(...outcome.value.results)
    }
    return results
  }

  /**
   * Our own fillers stop at the next slice and are never ended in the middle of a write. A module may not listen: its
   * thread is ended after a grace period. Its task settles when the thread has gone.
   */
  #endAfterGrace(pool: Piscina, control: FillControl, running: Set<number>): NodeJS.Timeout {
    return setTimeout(() => {
      const threads = new Set([...running].map((slot) => control.threadOf(slot)))
      for (const worker of pool.threads as Worker[]) {
        // A task that has not begun, 0, will find the stop.
        if (worker.threadId > 0 && threads.has(worker.threadId)) void worker.terminate()
      }
    }, this.#abortGrace)
  }

  /** Loads what the first fill would otherwise load while it holds up the event loop. Starts no thread. */
  static preload(): void {
    // A failure is the first fill's to report.
    import('piscina').catch(() => {})
  }

  #start(): Promise<Piscina> {
    this.#pool ??= import('piscina').then(({ Piscina }) => {
      const pool = new Piscina({
        filename: new URL('../../workers/filler.js', import.meta.url).href,
        minThreads: this.threads,
        maxThreads: this.threads,
        // The default stops an idle worker's event loop, and with it the end of its leases.
        atomics: 'disabled',
        recordTiming: false,
        // Loaders and conditions are wanted in the pool too; with an inherited --input-type no file would load.
        ...(process.execArgv.some((flag) => flag.startsWith('--input-type')) && { execArgv: [] }),
      })
      pool.on('error', this.#onError)
      return pool
    })
    return this.#pool
  }

  /** Resolves when its threads have ended. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const pool = await this.#pool
      await pool?.destroy()
    })()
    return this.#closing
  }
}

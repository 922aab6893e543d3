import { createRequire } from 'node:module'
import process from 'node:process'
import { setImmediate } from 'node:timers'
import type { Transferable, Worker } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { ownFile } from '../native/own-file.js'
import { fromEnvelope } from '../threads/envelope.js'
import type { FillerNotice, FillOutcome, FillTask } from './fill-messages.js'
import type { FillerOptions } from './filler-options.js'

/** What has to be known of a pool of threads beside its tasks. */
export interface FillerEvents {
  /** A thread died that had nothing to do, or a module threw after its run had ended. */
  failed(error: Error): void
  /** No thread is left: one that could not be started is not tried again. The pool is of no more use. */
  over(threads: FillerThreads): void
}

/** The threads of a FillerPool, by piscina. */
export class FillerThreads {
  readonly #piscina: Piscina
  readonly #events: FillerEvents
  /** Tasks that piscina would keep for ever if no thread were left. */
  readonly #running = new Set<(error: unknown) => void>()
  readonly #tasks = new Set<Promise<unknown>>()
  #lastError: unknown
  #over = false
  #destroyed: Promise<void> | undefined

  private constructor(piscina: Piscina, events: FillerEvents) {
    this.#piscina = piscina
    this.#events = events
    piscina.on('error', (error: Error) => {
      this.#lastError = error
      events.failed(error)
    })
    piscina.on('message', (message: unknown) => {
      if (!isNotice(message)) return
      const error = fromEnvelope(message.lateError)
      events.failed(error)
      // Nobody waits for it: who wrote the module has to see it.
      process.emitWarning(error)
    })
    // Its replacement is started after this event, if there is to be one.
    piscina.on('workerDestroy', () => queueMicrotask(() => this.#look()))
  }

  static async start(
    options: FillerOptions & { threads: number },
    events: FillerEvents,
  ): Promise<FillerThreads> {
    const { threads, execArgv, env, resourceLimits } = options
    const { Piscina } = await loadPiscina()
    const piscina = new Piscina({
      filename: ownFile('../../workers/filler.cjs', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      // The default stops an idle worker's event loop, and with it the end of its leases.
      atomics: 'disabled',
      recordTiming: false,
      ...(env && { env }),
      ...(resourceLimits && { resourceLimits }),
      ...execArgvOf(execArgv),
    })
    return new FillerThreads(piscina, events)
  }

  /** Loads what the first fill would otherwise load while it holds up the event loop. Starts no thread. */
  static preload(): void {
    // A failure is the first fill's to report.
    loadPiscina().catch(() => {})
  }

  /** @throws what the thread died of, or why the task could not be sent to it */
  async run(task: FillTask, transferList: Transferable[] | undefined): Promise<FillOutcome> {
    let fail = (_: unknown): void => {}
    const noThreadLeft = new Promise<never>((_, reject) => {
      fail = reject
    })
    this.#running.add(fail)
    const done = this.#piscina.run(task, transferList && { transferList })
    this.#tasks.add(done)
    try {
      return (await Promise.race([done, noThreadLeft])) as FillOutcome
    } catch (error) {
      this.#lastError = error
      throw error
    } finally {
      this.#running.delete(fail)
      this.#tasks.delete(done)
    }
  }

  #look(): void {
    if (this.#over || this.#piscina.threads.length > 0) return
    this.#over = true
    this.#events.over(this)
    // The task that the last thread died of hears of that itself, and first.
    setImmediate(() => {
      for (const fail of this.#running) fail(this.#lastError ?? new Error('no filler thread is left'))
      void this.destroy()
    })
  }

  /** Ends threads of ours, whatever they do. */
  terminate(ids: ReadonlySet<number>): void {
    for (const worker of this.#piscina.threads as Worker[])
      if (worker.threadId > 0 && ids.has(worker.threadId)) void worker.terminate()
  }

  /** Resolves when what runs in them has ended, and they have too. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#tasks)
    await this.destroy()
  }

  /** Resolves when they have ended. */
  destroy(): Promise<void> {
    this.#over = true
    this.#destroyed ??= this.#piscina.destroy()
    return this.#destroyed
  }
}

/** Modules may post what they like to the port of their thread. */
function isNotice(message: unknown): message is FillerNotice {
  const { lateError } = (message ?? {}) as Partial<FillerNotice>
  return (
    typeof lateError?.message === 'string' &&
    typeof lateError.fields === 'object' &&
    lateError.fields !== null
  )
}

/** Loaders and conditions are wanted in the pool too; with an inherited --input-type no file would load. */
function execArgvOf(execArgv: readonly string[] | undefined): { execArgv?: string[] } {
  if (execArgv) return { execArgv: [...execArgv] }
  return process.execArgv.some((flag) => flag.startsWith('--input-type')) ? { execArgv: [] } : {}
}

type PiscinaModule = { Piscina: new (options?: ConstructorParameters<typeof Piscina>[0]) => Piscina }

async function loadPiscina(): Promise<PiscinaModule> {
  try {
    return await import('piscina')
  } catch {
    // Node remembers an import that has failed, for want of a descriptor for one, and fails for ever; require() does not.
    return createRequire(import.meta.url)('piscina') as PiscinaModule
  }
}

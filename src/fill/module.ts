import { invalidArgType } from '../arguments.js'
import type { FillControl } from './control.js'
import type { FillTask, FillWork } from './fill-messages.js'
import type { GrantProxy, TaskGrant } from './grant-proxy.js'
import { asModuleRun } from './late-errors.js'
import { sliceAt, sliceCount } from './slices.js'

/** What a module given to `grant.run()` is told about the slice it is to fill. */
export interface SliceContext<Args = unknown> {
  /** Of the slice in the grant, in bytes. */
  readonly offset: number
  /** Which slice this is, of how many. */
  readonly index: number
  readonly slices: number
  /** A copy of the `args` given to `run()`. */
  readonly args: Args
  /**
   * Fires when the run is aborted or the grant is being taken away by force. `aborted` is up to date even in a
   * synchronous loop, where no event could be delivered.
   */
  readonly signal: AbortSignal
  readonly grant: GrantProxy
}

/**
 * The default export of such a module. `bytes` are the slice's pages, a part of `bytes.buffer`, which is the whole grant's:
 * views of another type have to be made with `byteOffset` and a length. Once it has returned they are others' to write to.
 */
export type SliceFunction<Args = unknown, Result = unknown> = (
  bytes: Uint8Array<SharedArrayBuffer>,
  context: SliceContext<Args>,
) => Result | Promise<Result>

export async function runModule(
  task: FillTask,
  work: Extract<FillWork, { kind: 'module' }>,
  control: FillControl,
  grant: TaskGrant,
): Promise<[number, unknown][]> {
  return asModuleRun(work.url, () => runSlices(task, work, control, grant))
}

async function runSlices(
  task: FillTask,
  work: Extract<FillWork, { kind: 'module' }>,
  control: FillControl,
  grant: TaskGrant,
): Promise<[number, unknown][]> {
  const run = await load(work.url)
  const { signal, end } = stopSignal(control)
  const slices = sliceCount(task)
  const results: [number, unknown][] = []
  try {
    for (let index = control.takeSlice(); index < slices && !control.stopped; index = control.takeSlice()) {
      const { start, end } = sliceAt(task, index)
      const bytes = new Uint8Array(task.buffer, start, end - start)
      const context: SliceContext = { offset: start, index, slices, args: work.args, signal, grant }
      results.push([index, passable(await run(bytes, context), index)])
      control.addDone(end - start)
    }
  } finally {
    end()
    grant.end()
  }
  return results
}

/** @throws TypeError: it cannot be passed to the thread that waits for it, which only this one can say */
function passable(result: unknown, index: number): unknown {
  if (
    result === null ||
    (typeof result !== 'object' && typeof result !== 'function' && typeof result !== 'symbol')
  )
    return result
  try {
    return structuredClone(result)
  } catch (cause) {
    const text = `what the module returned for slice ${index} cannot be passed between threads: ${(cause as Error).message}`
    throw Object.assign(new TypeError(text, { cause }), { code: 'ERR_INVALID_RETURN_VALUE' })
  }
}

/** How often the import of a module has failed for want of something that may come back. */
const failures = new Map<string, number>()

const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])

async function load(url: string): Promise<SliceFunction> {
  const failed = failures.get(url) ?? 0
  let module: { default?: unknown }
  try {
    // Node remembers a failed import; under another name the module gets a new chance.
    module = (await import(
      failed === 0 ? url : `${url}${url.includes('?') ? '&' : '?'}again=${failed}`
    )) as typeof module
  } catch (error) {
    if (url.startsWith('file:') && SHORTAGES.has((error as NodeJS.ErrnoException).code ?? ''))
      failures.set(url, failed + 1)
    throw error
  }
  if (typeof module.default !== 'function') {
    throw invalidArgType('module', `a module whose default export is a function (${url})`, module.default)
  }
  return module.default as SliceFunction
}

/** `end` is called when the run is over in this thread: nothing waits for a stop any more. */
function stopSignal(control: FillControl): { signal: AbortSignal; end(): void } {
  const controller = new AbortController()
  const { signal } = controller
  let over = false
  const watch = async (): Promise<void> => {
    // Woken by the end of another thread's part as well.
    while (!control.stopped && !over) await control.changed()
    if (control.stopped) controller.abort()
  }
  void watch()
  const prototype = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')!
  Object.defineProperty(signal, 'aborted', {
    configurable: true,
    get() {
      if (control.stopped && !prototype.get!.call(signal)) controller.abort()
      return prototype.get!.call(signal)
    },
  })
  const end = (): void => {
    over = true
    control.wake()
  }
  return { signal, end }
}

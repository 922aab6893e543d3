import { performance } from 'node:perf_hooks'
import { pause } from '../abort.js'
import { Xen } from '../index.js'
import { SimulatedXen } from '../simulated/index.js'

/** Of a simulated Xen that a command makes: four connections with the largest windows. */
const SIMULATED_PAGES = 4 * 1024
/** How long a command that has made a simulated Xen waits for those in it to leave, in milliseconds. */
const LEAVE = 5000
const LOOK = 50

/** Where a command runs: the options that all commands on streams have. */
export interface PlaceOptions {
  /** Directory of a simulated Xen. Default: the real one. */
  simulated?: string
  /** In that: the domain that this command is. */
  as?: number
}

/** The Xen that a command works with. */
export interface Place extends AsyncDisposable {
  readonly xen: Xen
}

/** Of a command that offers something: a simulated Xen that is not there yet is made, for as long as the command runs. */
export async function hostPlace(options: PlaceOptions): Promise<Place> {
  const [directory, self] = checked(options)
  if (directory === undefined) return real()
  try {
    return await within(await SimulatedXen.attach(directory), self)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
  const room = { limit: SIMULATED_PAGES, tableCapacity: 8 * SIMULATED_PAGES }
  const simulated = await SimulatedXen.create({ path: directory, ...room })
  const place = await within(simulated, self, () => left(simulated))
  return place
}

/** Of a command that connects: waits until there is the simulated Xen, in milliseconds. */
export async function joinPlace(options: PlaceOptions, timeout: number, signal: AbortSignal): Promise<Place> {
  const [directory, self] = checked(options)
  if (directory === undefined) return real()
  const began = performance.now()
  for (;;) {
    signal.throwIfAborted()
    try {
      return await within(await SimulatedXen.attach(directory), self)
    } catch (error) {
      if (!isAbsent(error)) throw error
      if (performance.now() - began > timeout)
        throw new Error(
          `there is no simulated Xen at ${directory}: the command that offers something makes it`,
        )
    }
    await pause(LOOK, signal)
  }
}

function checked({ simulated, as }: PlaceOptions): [string, number] | [undefined, undefined] {
  if (simulated === undefined) {
    if (as !== undefined)
      throw new Error('--as names a domain of a simulated Xen: --simulated <directory> tells which')
    return [undefined, undefined]
  }
  if (as === undefined) throw new Error('say which domain of the simulated Xen this is: --as <number>')
  return [simulated, as]
}

async function real(): Promise<Place> {
  const xen = await Xen.open()
  return { xen, [Symbol.asyncDispose]: () => xen.close() }
}

async function within(
  simulated: SimulatedXen,
  self: number | undefined,
  last?: () => Promise<void>,
): Promise<Place> {
  try {
    const xen = await Xen.open({ on: simulated.domain(self!) })
    return {
      xen,
      [Symbol.asyncDispose]: async () => {
        try {
          await xen.close()
          await last?.()
        } finally {
          await simulated.close()
        }
      },
    }
  } catch (error) {
    await simulated.close()
    throw error
  }
}

/** The other end closes what it has opened: calls of its own would fail when the simulated Xen is gone. */
async function left(simulated: SimulatedXen): Promise<void> {
  const began = performance.now()
  while ((await simulated.counters()).sessions > 0 && performance.now() - began < LEAVE)
    await pause(LOOK, undefined)
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}

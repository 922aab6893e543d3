import { afterAll, afterEach, beforeEach, expect } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { counted, ZERO } from './counters.js'

type SimulationOptions = Parameters<typeof SimulatedXen.create>[0]

/**
 * A simulated Xen for the tests of a file. Whatever a test did, at its end nothing may be left in the driver; servers are the
 * test's to close. To start one takes longer than most tests, so the next test gets the same again, unless this one has
 * changed something that cannot be seen: a limit, an ordered fault, a domain that is gone.
 *
 * @param open what the tests have in common: it is opened with a Xen, and closed with it. At the end of a test everything is as it
 *   was then
 */
export function useXen<T extends readonly AsyncDisposable[] = []>(
  options?: SimulationOptions,
  open?: (xen: SimulatedXen) => Promise<T>,
): { readonly xen: SimulatedXen; readonly opened: T } {
  let xen: SimulatedXen | undefined
  let opened: T
  let before: object = NOTHING_LEFT
  let changed = false
  const closeOpened = async (): Promise<void> => {
    for (const one of opened ?? []) await one[Symbol.asyncDispose]()
  }
  beforeEach(async () => {
    if (xen) return
    changed = false
    const made = await SimulatedXen.create({ freePerIteration: 0, ...options })
    if (open) {
      opened = await open(made)
      before = await counted(made)
    }
    xen = noticed(made, () => {
      changed = true
    })
  })
  afterEach(async () => {
    const used = xen!
    // What is replaced leaves nothing, not even what it was opened with.
    if (changed) await closeOpened()
    await used.tick()
    let left = await used.counters()
    // That a store has been closed comes on another socket.
    for (let tries = 0; left.storeConnections > 0 && tries < 1000; tries++) left = await used.counters()
    try {
      expect(left).toMatchObject(changed ? NOTHING_LEFT : before)
    } catch (error) {
      if (!changed) await closeOpened()
      changed = true
      throw error
    } finally {
      if (changed) {
        xen = undefined
        await used.close()
      }
    }
  })
  afterAll(async () => {
    if (xen) await closeOpened()
    await xen?.close()
  })
  return {
    get xen() {
      return xen!
    },
    get opened() {
      return opened
    },
  }
}

// The table is used by what is deferred, and other programs may have connections.
const { tableUsed, sessions, ...NOTHING_LEFT } = ZERO

/** Tells when something is done to it that the next test would feel. */
function noticed(xen: SimulatedXen, change: () => void): SimulatedXen {
  const watch = (target: object, names: readonly string[]): void => {
    for (const name of names) {
      const method = (target as Record<string, (...all: unknown[]) => unknown>)[name]!
      Object.assign(target, {
        [name]: (...all: unknown[]) => {
          change()
          return method.apply(target, all)
        },
      })
    }
  }
  watch(xen, ['setLimit', 'failNext', 'close'])
  const { domain } = xen
  xen.domain = (domid) => {
    const one = domain.call(xen, domid)
    watch(one, ['setLimit', 'destroy'])
    return one
  }
  return xen
}

/** What a failed call rejected with. Fails the test when it did not. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('expected a rejection, but the call succeeded')
}

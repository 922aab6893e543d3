import { afterAll, afterEach, beforeEach, expect } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { counted, ZERO } from './counters.js'

type SimulationOptions = Parameters<typeof SimulatedXen.create>[0]

/**
 * A simulated Xen for the tests of a file. Whatever a test did, at its end nothing may be left in the driver; servers are the
 * test's to close. To start one takes longer than most tests, so the next test gets the same again, unless this one has
 * changed something that cannot be seen: a limit, an ordered fault, a domain that is gone.
 *
 * @param open what the tests have in common. It is opened anew after a test that has not left everything as it was
 */
export function useXen<T extends readonly AsyncDisposable[] = []>(
  options?: SimulationOptions,
  open?: (xen: SimulatedXen) => Promise<T>,
): { readonly xen: SimulatedXen; readonly opened: T } {
  let xen: SimulatedXen | undefined
  let opened: T | undefined
  let before: object = NOTHING_LEFT
  let changed = false
  const closeOpened = async (): Promise<void> => {
    const all = opened ?? []
    opened = undefined
    await Promise.all(all.map((one) => one[Symbol.asyncDispose]()))
  }
  beforeEach(async () => {
    changed = false
    xen ??= noticed(await SimulatedXen.create({ freePerIteration: 0, ...options }), () => {
      changed = true
    })
    if (!open || opened) return
    opened = await open(xen)
    before = await counted(xen)
  })
  afterEach(async () => {
    const used = xen!
    await used.tick()
    if (open && !changed && equals(await counted(used), before)) return
    await closeOpened()
    await used.tick()
    let left = await used.counters()
    // That a store has been closed comes on another socket.
    for (let tries = 0; left.storeConnections > 0 && tries < 1000; tries++) left = await used.counters()
    try {
      expect(left).toMatchObject(NOTHING_LEFT)
    } catch (error) {
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
    await closeOpened()
    await xen?.close()
  })
  return {
    get xen() {
      return xen!
    },
    get opened() {
      return opened!
    },
  }
}

function equals(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
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

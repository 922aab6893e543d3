import type { ChildProcess } from 'node:child_process'
import { afterEach } from 'vitest'
import { Xen } from 'xen-grants'
import type { SimulatedXen } from 'xen-grants/simulated'

/** For tests in which domains and programs die: what they open, and the children they start, are gone after each. */
export function useDomains(world: { readonly xen: SimulatedXen }) {
  const opened: Xen[] = []
  const children: ChildProcess[] = []
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await Promise.all(opened.splice(0).map((xen) => xen.close()))
    // The kernel notices the end of a process a moment after its parent does.
    while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
  })
  const open = async (domid: number, on: object = world.xen.domain(domid)): Promise<Xen> => {
    const xen = await Xen.open({ on: on as never })
    opened.push(xen)
    return xen
  }
  return { open, children }
}

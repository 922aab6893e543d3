// What keeps a program that listens alive, and what does not.
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'
import { useXen } from '../setup/xen.js'

const world = useXen({ limit: 2048 })

/** A program that listens in domain 3, and then does this. */
const program = (domids: number[], then: string) =>
  node(
    '--input-type=module',
    '--eval',
    `import { Xen } from 'xen-grants'
    import { SimulatedXen } from 'xen-grants/simulated'
    import { listen } from 'xen-grants/vchan'
    const xen = await Xen.open({ on: (await SimulatedXen.attach(${JSON.stringify(world.xen.path)})).domain(3) })
    const service = await listen(xen, { name: 'x', domids: ${JSON.stringify(domids)} })
    ${then}`,
  )

/** The kernel notices the end of a process a moment after its parent does. */
async function forgotten(): Promise<void> {
  const store = (await import('xen-grants/xenstore')).XenStore
  while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
  const root = await store.open({ path: world.xen })
  await root.remove('/local/domain/3/data/vchan').catch(() => {})
  await root.close()
}

it.each([[[]], [[5]]])('a service for the domains %j keeps its program alive', async (domids) => {
  // Nothing else is under way a turn later.
  const child = program(domids, "setTimeout(() => console.log('alive'), 50).unref()")
  await once(child.stdout!, 'data')
  const end = finished(child)
  child.kill('SIGTERM')
  expect(await end).toMatchObject({ signal: 'SIGTERM' })
  await forgotten()
})

it.each([[[]], [[5]]])('one for the domains %j that is unreferenced does not', async (domids) => {
  const end = await finished(program(domids, "service.unref(); console.log('unreferenced')"))
  expect(end).toMatchObject({ code: 0, stdout: 'unreferenced\n', stderr: '' })
  await forgotten()
})

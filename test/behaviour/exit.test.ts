import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'
import { useXen } from '../setup/xen.js'

const world = useXen()

/** A process that has opened a server and shared a grant on this test's Xen, and then does `rest`. */
const start = (rest: string) =>
  node(
    '--input-type=module',
    '--eval',
    `
    import { GrantServer } from 'xen-grants'
    import { SimulatedXen } from 'xen-grants/simulated'
    const xen = await SimulatedXen.attach('${world.xen.path}')
    const server = await GrantServer.open({ device: xen, fillers: { threads: 4, inPlaceBelow: 0 } })
    const grant = await server.share({ domid: 7, pages: 300 })
    ${rest}
  `,
  )
const run = (rest: string) => finished(start(rest))

/** The kernel notices the end of a process a moment after its parent does. */
async function settled(): Promise<void> {
  while ((await world.xen.counters()).sessions > 0) await new Promise((resolve) => setImmediate(resolve))
}

describe('a process that used a server', () => {
  it.each([
    ['exits by itself after close()', 'await grant.fill({ byte: 1 }); await server.close()', 0],
    ['exits by itself without close() when nothing is pending', 'await grant.fill({ byte: 1 })', 0],
    [
      'may call process.exit() while fillers start',
      'void grant.fill({ byte: 1 }); setImmediate(() => process.exit(5))',
      5,
    ],
    [
      'may call process.exit() while a fill is going on',
      'void grant.fill({ byte: 1 }); setTimeout(() => process.exit(5), 30)',
      5,
    ],
    ['may die of an uncaught exception', 'void grant.fill({ byte: 1 }); throw new Error("host broke")', 1],
    ['waits for what is pending', 'grant.unshare().then(() => process.exit(6))', 6],
  ])('%s', async (_name, rest, expected) => {
    const { code, signal, stderr } = await run(rest)
    expect({ code, signal, stderr: expected === 1 ? stderr.includes('host broke') : stderr }).toEqual({
      code: expected,
      signal: null,
      stderr: expected === 1 ? true : '',
    })
    await settled()
  })

  it('leaves nothing in the driver when killed, and its armed notifications fire', async () => {
    const child = start(`
      grant.bytes.fill(7)
      await grant.setUnmapNotify({ page: 2, clearByte: 3 })
      console.log(JSON.stringify([...grant.refs]))
      setInterval(() => {}, 1000)
    `)
    const end = finished(child)
    const [refs] = (await once(child.stdout!, 'data')) as [string]
    await using mapped = await world.xen.domain(7).map(JSON.parse(refs))
    const around = (): number[] => [...mapped.bytes.subarray(2 * 4096 + 2, 2 * 4096 + 5)]
    expect(around()).toEqual([7, 7, 7])
    child.kill('SIGKILL')
    expect((await end).signal).toBe('SIGKILL')
    await settled()
    expect(around()).toEqual([7, 0, 7])
  })
})

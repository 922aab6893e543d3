// Programs replace globals: fake timers in tests, polyfills, Object.prototype with something on it.
import { expect, it } from 'vitest'
import { script } from '../setup/process.js'

const use = `
  const xen = await SimulatedXen.create()
  const server = await GrantServer.open({ device: xen, fillers: { threads: 1, inPlaceBelow: 0 } })
  const mapper = await GrantMapper.open({ device: xen.domain(7) })
  const grant = await server.share({ domid: 7, pages: 4 })
  await grant.fill({ byte: 3 })
  await grant.run('data:text/javascript,export default (bytes) => bytes[0]')
  const mapped = await mapper.map({ domid: 0, offer: await grant.offer() })
  const released = grant.released()
  console.log(mapped.bytes[0], mapped.writable)
  await mapped.unmap()
  console.log(await released)
  const pool = await server.pool({ domid: 7, pages: 1, grants: 1 })
  const one = await pool.acquire()
  const waiting = pool.acquire()
  pool.release(one)
  pool.release(await waiting)
  await grant.unshare()
  await mapper.close()
  await server.close()
  await xen.close()
`

it('a program may replace timers and clocks after it has loaded the package', async () => {
  const { stdout, stderr, code } = await script(`
    import { GrantMapper, GrantServer } from 'xen-grants'
    import { SimulatedXen } from 'xen-grants/simulated'
    // Not Buffer and URL: Node 22 and later take theirs from there too.
    const broken = () => { throw new Error('a global was used') }
    const names = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate']
    for (const name of names) globalThis[name] = broken
    Object.defineProperty(globalThis, 'performance', { value: { now: broken } })
    ${use}
  `)
  expect({ stdout, code }, stderr).toEqual({ stdout: '3 false\nreleased\n', code: 0 })
})

it('what is on Object.prototype is no option', async () => {
  const { stdout, stderr, code } = await script(`
    import { GrantMapper, GrantServer } from 'xen-grants'
    import { SimulatedXen } from 'xen-grants/simulated'
    // Names that Node itself does not take from there.
    for (const name of ['scrub', 'threads', 'limit', 'wait', 'channel', 'onProgress', 'refs', 'fillers', 'whenReleased'])
      Object.defineProperty(Object.prototype, name, { value: 'polluted', writable: true, configurable: true })
    ${use}
  `)
  expect({ stdout, code }, stderr).toEqual({ stdout: '3 false\nreleased\n', code: 0 })
})

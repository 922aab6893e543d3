// What is asked when the simulated Xen, or a real one's driver, does not answer any more.
import { expect, it } from 'vitest'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { rejection } from '../setup/xen.js'

it('every call says so with a code, stats() too', async () => {
  const xen = await SimulatedXen.create()
  const server = await GrantServer.open({ device: xen })
  server.on('error', () => {})
  const grant = await server.share({ domid: 7, pages: 1 })
  await xen.close()
  for (const call of [
    () => server.stats(),
    () => server.share({ domid: 7, pages: 1 }),
    () => grant.setUnmapNotify({ clearByte: 1 }),
  ])
    expect(await rejection(call())).toMatchObject({ name: 'GrantError', code: expect.stringMatching(/^E/) })
  await server.close({ force: true })
})

it('a thousand shares on one signal cause no warning, and are all aborted by it', async () => {
  const warnings: Error[] = []
  const heed = (warning: Error): void => void warnings.push(warning)
  process.on('warning', heed)
  const xen = await SimulatedXen.create()
  const server = await GrantServer.open({ device: xen, maxPages: 1 })
  await server.share({ domid: 7, pages: 1 })
  const controller = new AbortController()
  const { signal } = controller
  const waiting = Array.from({ length: 1000 }, () =>
    rejection(server.share({ domid: 7, pages: 1, wait: true, signal })),
  )
  controller.abort(new Error('enough'))
  for (const one of waiting) expect((await one).message).toBe('enough')
  await server.close()
  await xen.close()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', heed)
  expect(warnings).toEqual([])
})

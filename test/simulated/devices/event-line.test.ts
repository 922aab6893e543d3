import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { eventDescriptor } from '../../../dist/src/drivers/evtchn/event-device.js'
import { closeAll, connect } from '../channel.js'
import { failing, fixture, openEvents, until, withXen } from '../support.js'

describe('the line of an event channel file', () => {
  it('tells of each event, and of what fired before it was asked', () =>
    withXen({}, async (xen) => {
      const { module, options } = xen[eventDescriptor]
      const { openEventLine, joinEventDevice } = await import(module)
      const line = await openEventLine(options)
      const device = joinEventDevice(line.file)
      const other = await openEvents(xen.domain(7))
      const port = device.bindUnbound(7)
      const peerPort = other.device.bindInterdomain(0, port)
      await other.notify(peerPort)
      const first = new Promise((resolve) => line.start({ fired: resolve, failed: expect.unreachable }))
      expect(await first).toEqual([port])
      device.close()
      await line.close()
      await other.close()
    }))

  it('goes on for as long as it is unmasked', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      for (let round = 0; round < 20; round++) {
        const next = there.next()
        await here.notify(port)
        expect(await next).toEqual([peerPort])
        there.unmask([peerPort])
      }
      await closeAll(here, there)
    }))

  it('owns the file: its end unbinds, also for the half in the worker', () =>
    withXen({}, async (xen) => {
      const { here, there, port } = await connect(xen)
      await here.line.close()
      await here.line.close()
      expect(await xen.counters()).toMatchObject({ files: 1, ports: 1 })
      expect(() => here.device.bindUnbound(7)).toThrow(failing('EBADF'))
      here.device.close()
      there.device.close()
      expect(await xen.counters(), 'only let go of').toMatchObject({ files: 1, ports: 1 })
      await there.line.close()
      expect(port).toBeGreaterThan(0)
    }))

  it('works in a worker, whose end unbinds', () =>
    withXen({}, async (xen) => {
      const here = await openEvents(xen)
      const port = here.device.bindUnbound(7)
      const { module, options } = xen.domain(7)[eventDescriptor]
      const worker = new Worker(fixture('event-worker.mjs'), { workerData: { module, options, port } })
      expect(await once(worker, 'message')).toEqual(['bound'])
      for (let round = 0; round < 3; round++) {
        const answer = once(worker, 'message')
        await here.notify(port)
        expect(await answer).toEqual(['event'])
      }
      await worker.terminate()
      await until(xen, { ports: 1, files: 1 })
      await here.close()
    }))

  it('says once that the Xen has gone', async () => {
    const xen = await SimulatedXen.create()
    const end = await openEvents(xen)
    await xen.close()
    await end.until(() => end.failures.length > 0)
    expect(end.failures).toEqual([
      expect.objectContaining({ call: 'read', error: failing('ECONNRESET', 'read') }),
    ])
    await end.close()
  })

  it('does not keep a thread alive', () =>
    withXen({}, async (xen) => {
      const here = await openEvents(xen)
      const { module, options } = xen.domain(7)[eventDescriptor]
      const worker = new Worker(fixture('event-worker.mjs'), {
        workerData: { module, options, port: here.device.bindUnbound(7), leave: true },
      })
      expect(await once(worker, 'exit')).toEqual([0])
      await here.close()
    }))
})

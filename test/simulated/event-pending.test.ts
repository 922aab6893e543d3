import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { eventDescriptor } from '../../dist/src/device/seam.js'
import { closeAll, connect } from './channel.js'
import { fixture, openEvents, until, withXen } from './support.js'

describe('onPending', () => {
  it('calls back for each event, and again while nobody reads', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      let calls = 0
      const got: number[] = []
      there.onPending(() => calls++)
      here.notify(port)
      while (calls < 3) await sleep(1)
      const waitFor = async (count: number) => {
        while (got.length < count) await sleep(1)
      }
      there.onPending(() => {
        const ports = there.read()
        got.push(...ports)
        there.unmask(ports)
      })
      await waitFor(1)
      for (let round = 2; round < 20; round++) {
        here.notify(port)
        await waitFor(round)
      }
      expect(new Set(got)).toEqual(new Set([peerPort]))
      closeAll(here, there)
    }))

  it('works in a worker, whose end unbinds', () =>
    withXen({}, async (xen) => {
      const here = await openEvents(xen)
      const port = here.bindUnbound(7)
      const { module, options } = xen.domain(7)[eventDescriptor]
      const worker = new Worker(fixture('event-worker.mjs'), { workerData: { module, options, port } })
      await once(worker, 'message')
      for (let round = 0; round < 3; round++) {
        const answer = once(worker, 'message')
        here.notify(port)
        expect(await answer).toEqual(['event'])
      }
      await worker.terminate()
      await until(xen, { ports: 1, files: 1 })
      here.close()
    }))

  it('calls back when the Xen has gone, for read to say so', async () => {
    const xen = await SimulatedXen.create()
    const device = await openEvents(xen)
    const called = new Promise<void>((resolve) => device.onPending(resolve))
    await xen.close()
    await called
    expect(() => device.read()).toThrow(expect.objectContaining({ code: 'ECONNRESET' }))
    device.close()
  })

  it('does not keep a thread alive', () =>
    withXen({}, async (xen) => {
      const here = await openEvents(xen)
      const { module, options } = xen.domain(7)[eventDescriptor]
      const worker = new Worker(fixture('event-worker.mjs'), {
        workerData: { module, options, port: here.bindUnbound(7), leave: true },
      })
      expect(await once(worker, 'exit')).toEqual([0])
      here.close()
    }))
})

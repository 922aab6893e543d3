import { once } from 'node:events'
import { closeSync, constants, openSync, readdirSync, renameSync, symlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { eventDescriptor } from '../../../dist/src/drivers/evtchn/event-device.js'
import { mapEventTable } from '../../../dist/src/simulated/devices/event-table-map.js'
import { firstAddress, MAX_FILES } from '../../../dist/src/simulated/wire/event-table.js'
import { closeAll, connect } from '../channel.js'
import { failing, fixture, kill, openEvents, start, until, withXen } from '../support.js'

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

  it('does not keep a thread alive when the Xen has gone', async () => {
    const xen = await SimulatedXen.create()
    const here = await openEvents(xen)
    const { module, options } = xen.domain(7)[eventDescriptor]
    const worker = new Worker(fixture('event-worker.mjs'), {
      workerData: { module, options, port: here.device.bindUnbound(7), patient: true },
    })
    expect(await once(worker, 'message')).toEqual(['bound'])
    const [told, exited] = [once(worker, 'message'), once(worker, 'exit')]
    await xen.close()
    expect([await told, await exited]).toEqual([['ECONNRESET'], [0]])
    await here.close()
  })

  it('notifies, reads and unmasks without the host', async () => {
    const { child, message } = await start('creator.mjs', 'stay')
    const xen = await SimulatedXen.attach(String(message))
    const { here, there, port, peerPort } = await connect(xen)
    child.kill('SIGSTOP')
    for (let round = 0; round < 3; round++) {
      here.line.notify(port)
      here.line.notify(port)
      for (let event = 0; event < 2; event++) {
        expect(await there.next()).toEqual([peerPort])
        there.line.unmask([peerPort])
      }
      there.line.notify(peerPort)
      expect(await here.next()).toEqual([port])
      here.line.unmask([port])
    }
    child.kill('SIGCONT')
    expect(await xen.events(port)).toBe(6)
    expect(await xen.domain(7).events(peerPort)).toBe(3)
    await closeAll(here, there)
    await xen.close()
    await kill(child)
  })

  it('is told of an event for which its ring was too full', () =>
    withXen({}, async (xen) => {
      const rings = (): string[] => readdirSync(xen.path).filter((name) => name.startsWith('ring-'))
      const { here, there, port, peerPort } = await connect(xen)
      const ring = openSync(join(xen.path, rings()[1]!), constants.O_WRONLY | constants.O_NONBLOCK)
      expect(rings()).toEqual(['ring-1', 'ring-2'])
      // A page at a time, which is written whole or not at all; none of it is read while this thread is busy.
      const page = new Uint32Array(1024).fill(77)
      expect(() => {
        for (;;) writeSync(ring, page)
      }).toThrow(/EAGAIN/)
      closeSync(ring)
      here.line.notify(port)
      expect(await there.next()).toEqual([peerPort])
      await closeAll(here, there)
      expect(rings()).toEqual([])
    }))

  it('tells that it could not notify, and has not raised what it could not name', () =>
    withXen({}, async (xen) => {
      const { here, there, port, peerPort } = await connect(xen)
      const [ring, aside] = [join(xen.path, 'ring-2'), join(xen.path, 'aside')]
      renameSync(ring, aside)
      symlinkSync(ring, ring)
      expect(await here.failureOf((line) => line.notify(port))).toEqual(failing('ELOOP', 'open'))
      expect(await xen.events(port)).toBe(0)
      renameSync(aside, ring)
      await here.notify(port)
      expect(await there.read()).toEqual([peerPort])
      await closeAll(here, there)
    }))

  it('survives an address in the table that leads nowhere', () =>
    withXen({}, async (xen) => {
      const { here, there, port } = await connect(xen)
      const { table, unmap } = mapEventTable(xen.path)
      for (const place of [1000, MAX_FILES - 1, MAX_FILES, -1]) {
        table.connect(firstAddress(1) + port, firstAddress(place) + 5)
        await here.notify(port)
      }
      unmap()
      expect([await there.read(), here.failures]).toEqual([[], []])
      await closeAll(here, there)
    }))

  it('has what a destroyed domain has sent', () =>
    withXen({}, async (xen) => {
      const [here, there] = [await openEvents(xen), await openEvents(xen.domain(7))]
      const port = here.device.bindUnbound(7)
      const peerPort = there.device.bindInterdomain(0, port)
      there.line.notify(peerPort)
      await xen.domain(7).destroy()
      expect(await here.read()).toEqual([port])
      await there.until(() => there.failures.length > 0)
      expect(await there.failureOf((line) => line.notify(peerPort))).toEqual(failing('ECONNRESET', 'read'))
      await there.line.close()
      await here.notify(port)
      await here.close()
    }))
})

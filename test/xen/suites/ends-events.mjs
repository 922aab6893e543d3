import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { openEventLine } from '../../../dist/src/drivers/evtchn/linux-evtchn.js'
import { channelTo, eventFile } from '../guest/ends.mjs'

const BRIEFLY_MS = 300
const VIRQ_TIMER = 0
const VIRQ_CON_RING = 8
const refused = (code) => ({ name: 'GrantError', code, syscall: 'ioctl', path: '/dev/xen/evtchn' })

async function pair(t) {
  const [near, far] = [eventFile(t), eventFile(t)]
  return { near, far, ...(await channelTo(near, far)) }
}

function openFiles() {
  return readdirSync('/proc/self/fd').length
}

async function notConnected(file, port) {
  const { code, syscall, path } = await file.failureOf((line) => line.notify(port))
  assert.deepEqual([code, syscall, path], ['ENOTCONN', 'ioctl', '/dev/xen/evtchn'])
}

/** As `pair`, the far end telling nothing until it is started: what fires waits to be read. */
async function unread(t) {
  const [near, far] = [eventFile(t), eventFile(t, { start: false })]
  const port = near.device.bindUnbound(0)
  const own = far.device.bindInterdomain(0, port)
  await sleep(BRIEFLY_MS)
  return { near, far, port, own }
}

export default {
  name: 'evtchn',
  tests: [
    {
      name: 'opening tells another device, and what is none, from evtchn',
      run(t) {
        assert.equal(eventFile(t).line.path, '/dev/xen/evtchn')
        for (const [other, code] of [
          ['/dev/null', 'ENOTTY'],
          ['/dev/xen/gntalloc', 'ENOTTY'],
          ['/dev/xen/gntdev', 'ENOTTY'],
          ['/init', 'ENODEV'],
          ['/dev/xen/none', 'ENOENT'],
        ]) {
          assert.throws(
            () => openEventLine({ path: other }),
            { name: 'GrantError', code, path: other },
            other,
          )
        }
      },
    },
    {
      name: 'binding fires the new port once without cause, and only that one',
      async run(t) {
        const [near, far] = [eventFile(t), eventFile(t)]
        const port = near.device.bindUnbound(0)
        assert.ok(port >= 1)
        assert.deepEqual(await near.taken(), [])
        const own = far.device.bindInterdomain(0, port)
        assert.deepEqual(await far.next(), [own])
        far.unmask([own])
        assert.deepEqual(await far.next(BRIEFLY_MS), [])
        assert.deepEqual(await near.taken(), [])
      },
    },
    {
      name: 'an event wakes the other end, in both directions',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        for (let round = 0; round < 20; round++) {
          const there = far.next()
          near.notify(port)
          assert.deepEqual(await there, [own])
          far.unmask([own])
          const back = near.next()
          far.notify(own)
          assert.deepEqual(await back, [port])
          near.unmask([port])
        }
      },
    },
    {
      name: 'a port is masked from read to unmask; what comes meanwhile is one event',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        for (let i = 0; i < 5; i++) near.notify(port)
        assert.deepEqual(await far.next(), [own])
        assert.deepEqual(await far.taken(), [])
        for (let i = 0; i < 5; i++) near.notify(port)
        assert.deepEqual(await far.next(BRIEFLY_MS), [])
        far.unmask([own])
        assert.deepEqual(await far.next(), [own])
        far.unmask([own])
        assert.deepEqual(await far.next(BRIEFLY_MS), [])
      },
    },
    {
      name: 'unmasking ignores ports that are not ours, and those that are not masked',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        far.unmask([own, 4000, 0, port])
        far.unmask(Array(3000).fill(own))
        assert.equal(await far.failureOf((line) => line.unmask([])), undefined)
        near.notify(port)
        assert.deepEqual(await far.next(), [own])
      },
    },
    {
      name: 'several ports of one file are told together',
      async run(t) {
        const [near, far] = [eventFile(t), eventFile(t)]
        const pairs = []
        for (let i = 0; i < 40; i++) pairs.push(await channelTo(near, far))
        for (const { port } of pairs) near.notify(port)
        const seen = new Set()
        while (seen.size < 40) for (const port of await far.next()) seen.add(port)
        assert.deepEqual(
          [...seen].sort((a, b) => a - b),
          pairs.map(({ own }) => own).sort((a, b) => a - b),
        )
      },
    },
    {
      name: 'refusals: not bound here, no such domain, no such port, a port for others, virtual interrupts',
      async run(t) {
        const [device, other] = [eventFile(t), eventFile(t)]
        const port = other.device.bindUnbound(0)
        const foreign = other.device.bindUnbound(9)
        await notConnected(device, port)
        assert.throws(() => device.device.unbind(port), refused('ENOTCONN'))
        await notConnected(device, 0xffff_ffff)
        assert.throws(() => device.device.unbind(0xffff_ffff), refused('EINVAL'))
        assert.throws(() => device.device.bindInterdomain(999, 1), { ...refused('ESRCH'), domid: 999 })
        assert.throws(() => device.device.bindInterdomain(0, 4000), refused('EINVAL'))
        assert.throws(() => device.device.bindInterdomain(0, foreign), refused('EINVAL'))
        assert.ok(device.device.bindUnbound(999) >= 1, 'a domain that may come')
        assert.throws(() => device.device.bindVirq(100), refused('EINVAL'))
        assert.throws(() => device.device.bindVirq(VIRQ_TIMER), refused('EEXIST'))
        try {
          device.device.unbind(device.device.bindVirq(VIRQ_CON_RING))
        } catch (error) {
          // xenconsoled has it once guests have been started.
          assert.equal(error.code, 'EEXIST')
        }
      },
    },
    {
      name: 'restricted to a domain, it binds to that one only, for good',
      run(t) {
        const device = eventFile(t)
        assert.throws(() => device.device.restrict(0), refused('EINVAL'))
        assert.throws(() => device.device.restrict(0x7ff0), refused('EINVAL'))
        device.device.restrict(9)
        assert.throws(() => device.device.restrict(9), refused('EACCES'))
        assert.throws(() => device.device.bindUnbound(9), refused('EACCES'))
        assert.throws(() => device.device.bindVirq(VIRQ_CON_RING), refused('EACCES'))
        assert.throws(() => device.device.bindInterdomain(0, 1), refused('EACCES'))
        assert.throws(() => device.device.bindInterdomain(9, 1), refused('ESRCH'))
      },
    },
    {
      name: 'notifying succeeds when the other end has gone',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        far.device.unbind(own)
        await notConnected(far, own)
        near.notify(port)
        assert.equal(near.device.bindUnbound(0) !== port, true)
      },
    },
    {
      name: 'what has fired and is unbound before it is read may still be named',
      async run(t) {
        const { far, own } = await unread(t)
        far.device.unbind(own)
        far.start()
        assert.deepEqual(await far.next(), [own])
        far.unmask([own])
      },
    },
    {
      name: 'reset forgets what has not been read, and its ports stay masked until unmasked',
      async run(t) {
        const { near, far, port, own } = await unread(t)
        assert.equal(await far.failureOf((line) => line.reset()), undefined)
        far.start()
        near.notify(port)
        assert.deepEqual(await far.next(BRIEFLY_MS), [])
        far.unmask([own])
        assert.deepEqual(await far.next(), [own])
      },
    },
    {
      name: 'a thread that is ended in the middle of events leaves no port and no descriptor, and harms nobody',
      timeoutMs: 120_000,
      async run(t) {
        const device = eventFile(t).device
        const before = openFiles()
        for (let i = 0; i < 3; i++) {
          const thread = new Worker(new URL('../guest/event-thread.mjs', import.meta.url))
          const [[near, far]] = await once(thread, 'message')
          await thread.terminate()
          for (const port of [near, far])
            assert.throws(() => device.bindInterdomain(0, port), refused('EINVAL'))
        }
        assert.equal(openFiles(), before)
      },
    },
    {
      name: 'closing unbinds, also while somebody waits, and twice does nothing',
      async run(t) {
        const { near, far, port } = await pair(t)
        await far.close()
        await far.close()
        near.notify(port)
        assert.throws(() => eventFile(t).device.bindInterdomain(0, port + 500), refused('EINVAL'))
        assert.deepEqual(await near.next(BRIEFLY_MS), [])
        assert.deepEqual(await far.taken(), [])
      },
    },
  ],
}

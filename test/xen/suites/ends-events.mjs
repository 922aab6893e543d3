import assert from 'node:assert/strict'
import { EvtchnDevice } from '../../../dist/src/device/evtchn.js'
import { channelTo, eventDevice, nextEvents, pending } from '../guest/ends.mjs'

const BRIEFLY_MS = 300
const VIRQ_TIMER = 0
const VIRQ_CON_RING = 8
const refused = (code) => ({ name: 'GrantError', code, syscall: 'ioctl', path: '/dev/xen/evtchn' })

async function pair(t) {
  const [near, far] = [eventDevice(t), eventDevice(t)]
  return { near, far, ...(await channelTo(near, far)) }
}

export default {
  name: 'evtchn',
  tests: [
    {
      name: 'opening tells another device, and what is none, from evtchn',
      run(t) {
        assert.equal(eventDevice(t).path, '/dev/xen/evtchn')
        for (const [other, code] of [
          ['/dev/null', 'ENOTTY'],
          ['/dev/xen/gntalloc', 'ENOTTY'],
          ['/dev/xen/gntdev', 'ENOTTY'],
          ['/init', 'ENODEV'],
          ['/dev/xen/none', 'ENOENT'],
        ]) {
          assert.throws(() => new EvtchnDevice(other), { name: 'GrantError', code, path: other }, other)
        }
      },
    },
    {
      name: 'binding fires the new port once without cause, and only that one',
      async run(t) {
        const [near, far] = [eventDevice(t), eventDevice(t)]
        const port = near.bindUnbound(0)
        assert.ok(port >= 1)
        assert.deepEqual(near.read(), [])
        const own = far.bindInterdomain(0, port)
        assert.deepEqual(await nextEvents(far), [own])
        far.unmask([own])
        assert.deepEqual(await nextEvents(far, BRIEFLY_MS), [])
        assert.deepEqual(near.read(), [])
      },
    },
    {
      name: 'an event wakes the other end, in both directions',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        for (let round = 0; round < 20; round++) {
          const there = nextEvents(far)
          near.notify(port)
          assert.deepEqual(await there, [own])
          far.unmask([own])
          const back = nextEvents(near)
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
        assert.deepEqual(await nextEvents(far), [own])
        assert.deepEqual(far.read(), [])
        for (let i = 0; i < 5; i++) near.notify(port)
        assert.deepEqual(await nextEvents(far, BRIEFLY_MS), [])
        far.unmask([own])
        assert.deepEqual(await nextEvents(far), [own])
        far.unmask([own])
        assert.deepEqual(await nextEvents(far, BRIEFLY_MS), [])
      },
    },
    {
      name: 'unmasking ignores ports that are not ours, and those that are not masked',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        far.unmask([own, 4000, 0, port])
        far.unmask(Array(3000).fill(own))
        far.unmask([])
        near.notify(port)
        assert.deepEqual(await nextEvents(far), [own])
      },
    },
    {
      name: 'several ports of one file are told together',
      async run(t) {
        const [near, far] = [eventDevice(t), eventDevice(t)]
        const pairs = []
        for (let i = 0; i < 40; i++) pairs.push(await channelTo(near, far))
        for (const { port } of pairs) near.notify(port)
        const seen = new Set()
        while (seen.size < 40) for (const port of await nextEvents(far)) seen.add(port)
        assert.deepEqual(
          [...seen].sort((a, b) => a - b),
          pairs.map(({ own }) => own).sort((a, b) => a - b),
        )
      },
    },
    {
      name: 'refusals: not bound here, no such domain, no such port, a port for others, virtual interrupts',
      run(t) {
        const [device, other] = [eventDevice(t), eventDevice(t)]
        const port = other.bindUnbound(0)
        const foreign = other.bindUnbound(9)
        assert.throws(() => device.notify(port), refused('ENOTCONN'))
        assert.throws(() => device.unbind(port), refused('ENOTCONN'))
        assert.throws(() => device.notify(0xffff_ffff), refused('ENOTCONN'))
        assert.throws(() => device.unbind(0xffff_ffff), refused('EINVAL'))
        assert.throws(() => device.bindInterdomain(999, 1), { ...refused('ESRCH'), domid: 999 })
        assert.throws(() => device.bindInterdomain(0, 4000), refused('EINVAL'))
        assert.throws(() => device.bindInterdomain(0, foreign), refused('EINVAL'))
        assert.ok(device.bindUnbound(999) >= 1, 'a domain that may come')
        assert.throws(() => device.bindVirq(100), refused('EINVAL'))
        assert.throws(() => device.bindVirq(VIRQ_TIMER), refused('EEXIST'))
        try {
          device.unbind(device.bindVirq(VIRQ_CON_RING))
        } catch (error) {
          // xenconsoled has it once guests have been started.
          assert.equal(error.code, 'EEXIST')
        }
      },
    },
    {
      name: 'restricted to a domain, it binds to that one only, for good',
      run(t) {
        const device = eventDevice(t)
        assert.throws(() => device.restrict(0), refused('EINVAL'))
        assert.throws(() => device.restrict(0x7ff0), refused('EINVAL'))
        device.restrict(9)
        assert.throws(() => device.restrict(9), refused('EACCES'))
        assert.throws(() => device.bindUnbound(9), refused('EACCES'))
        assert.throws(() => device.bindVirq(VIRQ_CON_RING), refused('EACCES'))
        assert.throws(() => device.bindInterdomain(0, 1), refused('EACCES'))
        assert.throws(() => device.bindInterdomain(9, 1), refused('ESRCH'))
      },
    },
    {
      name: 'notifying succeeds when the other end has gone',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        far.unbind(own)
        assert.throws(() => far.notify(own), refused('ENOTCONN'))
        near.notify(port)
        assert.equal(near.bindUnbound(0) !== port, true)
      },
    },
    {
      name: 'what has fired and is unbound before it is read may still be named',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        near.notify(port)
        await pending(far)
        far.unbind(own)
        assert.deepEqual(far.read(), [own])
        far.unmask([own])
      },
    },
    {
      name: 'reset forgets what has not been read, and its ports stay masked until unmasked',
      async run(t) {
        const { near, far, port, own } = await pair(t)
        near.notify(port)
        await pending(far)
        far.reset()
        assert.deepEqual(far.read(), [])
        near.notify(port)
        assert.deepEqual(await nextEvents(far, BRIEFLY_MS), [])
        far.unmask([own])
        assert.deepEqual(await nextEvents(far), [own])
      },
    },
    {
      name: 'closing unbinds, also while somebody waits, and twice does nothing',
      async run(t) {
        const { near, far, port } = await pair(t)
        far.onPending(() => assert.fail('nothing to tell'))
        far.close()
        far.close()
        near.notify(port)
        assert.throws(() => eventDevice(t).bindInterdomain(0, port + 500), refused('EINVAL'))
        assert.deepEqual(await nextEvents(near, BRIEFLY_MS), [])
      },
    },
  ],
}

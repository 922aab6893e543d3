// What is done with ports that fire, on a line that does as it is told.
import { describe, expect, it } from 'vitest'
import type { EventLine } from '../../src/drivers/evtchn/event-device.js'
import { GrantError } from '../../src/errors.js'
import { Delivery } from '../../src/events/delivery.js'
import { EventChannel } from '../../src/events/event-channel.js'

class FakeLine implements EventLine {
  readonly path = 'fake'
  readonly file = null
  readonly log: string[] = []
  start(): void {}
  notify(port: number): void {
    this.log.push(`notify ${port}`)
  }
  unmask(ports: readonly number[]): void {
    this.log.push(`unmask ${ports.join(' ')}`)
  }
  reset(): void {
    this.log.push('reset')
  }
  ref(): void {
    this.log.push('ref')
  }
  unref(): void {
    this.log.push('unref')
  }
  async close(): Promise<void> {}
}

function setUp(...ports: number[]) {
  const line = new FakeLine()
  const delivery = new Delivery(line)
  const errors: string[] = []
  delivery.report = ({ code }) => errors.push(code)
  const add = (port: number, overflows = delivery.overflows): EventChannel =>
    new EventChannel(port, {
      opened: (control) => delivery.add(control, overflows),
      notify: (port) => line.notify(port),
      unbind: async (port) => delivery.remove(port),
      waiting: (change) => delivery.waiting(change),
    })
  return { line, log: line.log, delivery, errors, add, channels: ports.map((port) => add(port)) }
}

const checkPhase = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const failure = (code: string): GrantError => new GrantError(code, code)

describe('delivery', () => {
  it('unmasks the ports of a read together, after what listeners and waiters have answered', async () => {
    const { log, delivery, channels } = setUp(1, 2)
    channels[0]!.on('event', () => channels[0]!.notify())
    void channels[1]!.wait().then(async () => {
      await null
      channels[1]!.notify()
    })
    delivery.fired([1, 2])
    expect(log).toEqual(['ref', 'notify 1'])
    await checkPhase()
    expect(log).toEqual(['ref', 'notify 1', 'notify 2', 'unmask 1 2'])
  })

  it('unmasks what nobody listens to, and keeps its event', async () => {
    const { log, delivery, channels } = setUp(1)
    delivery.fired([1, 9])
    await checkPhase()
    expect(log).toEqual(['unmask 1 9'])
    await channels[0]!.wait()
  })

  it('keeps the event of a port whose bind has not been answered yet', async () => {
    const { delivery, add } = setUp()
    delivery.fired([3])
    await add(3).wait()
  })

  it('tries an unmasking that failed again, once, and then with what fires next', async () => {
    const { log, delivery, errors } = setUp(1, 2)
    delivery.fired([1])
    await checkPhase()
    delivery.failed('unmask', failure('EFAULT'), [1])
    await checkPhase()
    delivery.failed('unmask', failure('EFAULT'), [1])
    await checkPhase()
    expect(log).toEqual(['unmask 1', 'unmask 1'])
    delivery.fired([2])
    await checkPhase()
    expect(log.at(-1)).toBe('unmask 1 2')
    expect(errors).toEqual(['EFAULT', 'EFAULT'])
  })

  it('wakes and unmasks everybody after an overflow, also who is being bound', async () => {
    const { log, delivery, errors, channels, add } = setUp(1, 2)
    const { overflows } = delivery
    delivery.failed('read', failure('EFBIG'), [])
    for (const channel of channels) await channel.wait()
    await checkPhase()
    expect(log).toEqual(['reset', 'unmask 1 2'])
    await add(3, overflows).wait()
    await checkPhase()
    expect(log.at(-1)).toBe('unmask 3')
    expect(errors).toEqual([])
  })

  it('tells of other failures, but not of notifying what has been closed', async () => {
    const { delivery, errors, channels } = setUp(1)
    delivery.failed('read', failure('EIO'), [])
    delivery.failed('reset', failure('EINVAL'), [])
    delivery.failed('notify', failure('ENOTCONN'), [1])
    await channels[0]!.close()
    delivery.failed('notify', failure('ENOTCONN'), [1])
    await checkPhase()
    expect(errors).toEqual(['EIO', 'EINVAL', 'ENOTCONN'])
  })

  it('does nothing any more once it has ended, also between an event and its unmasking', async () => {
    const { log, delivery, errors, channels } = setUp(1)
    channels[0]!.on('event', () => delivery.end(failure('ERR_GRANTS_CLOSED')))
    delivery.fired([1])
    delivery.fired([1])
    delivery.failed('unmask', failure('EBADF'), [1])
    await checkPhase()
    expect(log).toEqual(['ref', 'unref'])
    expect(errors).toEqual([])
  })

  it('keeps the thread alive while somebody waits, without changing its mind between two waits', async () => {
    const { log, delivery, channels } = setUp(1)
    let waited = channels[0]!.wait()
    for (let round = 0; round < 3; round++) {
      delivery.fired([1])
      await waited
      waited = channels[0]!.wait()
      await checkPhase()
    }
    expect(log.filter((entry) => !entry.startsWith('unmask'))).toEqual(['ref'])
    delivery.fired([1])
    await checkPhase()
    expect(log.at(-1)).toBe('unref')
  })
})

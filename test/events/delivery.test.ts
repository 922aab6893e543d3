// What is done with ports that fire, on a line that does as it is told.
import { getEventListeners } from 'node:events'
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
    void channels[1]!.wait().then(() => channels[1]!.notify())
    delivery.fired([1, 2])
    expect(log).toEqual(['ref', 'notify 1'])
    await null
    expect(log).toEqual(['ref', 'notify 1', 'notify 2', 'unmask 1 2'])
  })

  it('gives those who only wait the rest of the turn before it unmasks', async () => {
    const { log, delivery, channels } = setUp(1)
    void channels[0]!.wait().then(async () => {
      await null
      channels[0]!.notify()
    })
    delivery.fired([1])
    await checkPhase()
    expect(log).toEqual(['ref', 'notify 1', 'unmask 1', 'unref'])
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

  it('tries it again a turn later, when what was missing may be there', async () => {
    const { log, delivery, channels } = setUp(1)
    channels[0]!.on('event', () => {})
    delivery.fired([1])
    await null
    delivery.failed('unmask', failure('ENOMEM'), [1])
    await null
    expect(log).toEqual(['ref', 'unmask 1'])
    await checkPhase()
    expect(log).toEqual(['ref', 'unmask 1', 'unmask 1'])
  })

  it('tries it again by itself once more for each time that something fires', async () => {
    const { log, delivery } = setUp(1, 2)
    for (let round = 0; round < 3; round++) {
      delivery.fired([1])
      await checkPhase()
      for (let failures = 0; failures < 2; failures++) {
        delivery.failed('unmask', failure('EFAULT'), [1])
        await checkPhase()
      }
    }
    // After the first round what has failed goes with the port that fires.
    expect(log).toEqual(['unmask 1', 'unmask 1', 'unmask 1 1', 'unmask 1', 'unmask 1 1', 'unmask 1'])
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

  it('makes one event of all that fires before the first is delivered', async () => {
    const { delivery, channels } = setUp(1)
    for (let i = 0; i < 3; i++) delivery.fired([1])
    await channels[0]!.wait()
    let another = false
    void channels[0]!.wait().then(() => {
      another = true
    })
    await checkPhase()
    expect(another).toBe(false)
    delivery.fired([1])
    await checkPhase()
    expect(another).toBe(true)
  })

  it('wakes everybody who waits for a port, each once', async () => {
    const { delivery, channels } = setUp(1)
    const waits = [channels[0]!.wait(), channels[0]!.wait()]
    delivery.fired([1])
    await Promise.all(waits)
    await checkPhase()
    delivery.fired([1])
    expect(await Promise.race([channels[0]!.wait(), checkPhase().then(() => 'nothing')])).toBeUndefined()
  })
})

describe('the thread is no longer kept alive', () => {
  const references = (log: string[]): string[] => log.filter((entry) => entry.endsWith('ref'))

  it('by a wait that is aborted, also before it begins', async () => {
    const { log, channels } = setUp(1)
    const stop = new AbortController()
    const waiting = channels[0]!.wait({ signal: stop.signal })
    await checkPhase()
    expect(references(log)).toEqual(['ref'])
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await checkPhase()
    expect(references(log)).toEqual(['ref', 'unref'])
    await expect(channels[0]!.wait({ signal: stop.signal })).rejects.toThrow('enough')
    await checkPhase()
    expect(references(log)).toEqual(['ref', 'unref'])
    expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  })

  it('by the last listener that is removed, and not by one before it', async () => {
    const { log, channels } = setUp(1)
    const [one, other] = [() => {}, () => {}]
    channels[0]!.on('event', one).on('event', other)
    channels[0]!.off('event', one)
    await checkPhase()
    expect(references(log)).toEqual(['ref'])
    channels[0]!.off('event', other)
    await checkPhase()
    expect(references(log)).toEqual(['ref', 'unref'])
  })

  it('by what waits on a channel that is closed, nor by a listener that comes after that', async () => {
    const { log, channels } = setUp(1, 2)
    channels[0]!.on('event', () => {})
    const waiting = channels[0]!.wait()
    const other = channels[1]!.wait()
    await channels[0]!.close()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    await checkPhase()
    expect(references(log)).toEqual(['ref'])
    await channels[1]!.close()
    await expect(other).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    channels[1]!.on('event', () => {})
    await checkPhase()
    expect(references(log)).toEqual(['ref', 'unref'])
  })
})

describe('an event', () => {
  it('that comes before its listener is delivered to it, once', async () => {
    const { delivery, channels } = setUp(1)
    delivery.fired([1])
    let events = 0
    channels[0]!.on('event', () => events++)
    expect(events).toBe(0)
    await checkPhase()
    channels[0]!.on('event', () => events++)
    await checkPhase()
    expect(events).toBe(1)
  })

  it('of a port that nobody has bound yet is not delivered twice', async () => {
    const { delivery, add } = setUp()
    delivery.fired([3])
    const channel = add(3)
    await channel.wait()
    await channel.close()
    const again = add(3)
    expect(await Promise.race([again.wait(), checkPhase().then(() => 'nothing')])).toBe('nothing')
  })
})

// The line to a service, with the service in this thread.
import { EventEmitter, once } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { diedError, GrantError } from '../../src/errors.js'
import type { DeviceThread } from '../../src/threads/device-thread.js'
import { serveCalls } from '../../src/threads/service-calls.js'
import { ServiceLine } from '../../src/threads/service-client.js'

class FakeThread extends EventEmitter {
  readonly sent: string[] = []
  port: MessagePort | undefined
  post(message: { type: string; port?: MessagePort }): void {
    this.sent.push(message.type)
    this.port = message.port
  }
  async close(message: { type: string }): Promise<void> {
    this.sent.push(message.type)
  }
}

interface Methods {
  double(n: number): number
  fail(): void
}

let ends: MessagePort[] = []
afterEach(async () => {
  // The other end closes a moment later, and would be counted until then.
  const closed = ends.map((port) => once(port, 'close'))
  for (const port of ends) port.close()
  await Promise.all(closed)
  await new Promise((resolve) => setTimeout(resolve))
  ends = []
})

function setUp({ answers = true } = {}) {
  const thread = new FakeThread()
  const line = new ServiceLine<Methods>(thread as unknown as DeviceThread, 'the test service')
  const port = thread.port!
  const methods: Methods = {
    double: (n) => 2 * n,
    fail: () => {
      throw new GrantError('EINVAL', 'refused', { ref: 9 })
    },
  }
  if (answers) serveCalls(port, { methods })
  ends.push(port)
  port.unref()
  return { thread, line, port }
}

/** Ports that keep this thread alive. */
const awake = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length

describe('a line to a service', () => {
  it('answers, and rejects with the errors of the service, class and fields included', async () => {
    const { line } = setUp()
    expect(await Promise.all([1, 2].map((n) => line.call('double', n)))).toEqual([2, 4])
    const error = await line.call('fail').catch((error) => error)
    expect(error).toBeInstanceOf(GrantError)
    expect(error).toMatchObject({ code: 'EINVAL', ref: 9 })
  })

  it('sends what is called in one turn together, and is answered so', async () => {
    const { line, port } = setUp()
    const messages: unknown[] = []
    port.on('message', (message) => messages.push(message))
    const values = await Promise.all([line.call('double', 1), line.call('double', 2), line.call('double', 3)])
    expect(values).toEqual([2, 4, 6])
    expect(messages).toHaveLength(1)
    await line.call('double', 4)
    expect(messages).toHaveLength(2)
  })

  it('keeps the thread alive while something is under way, and no longer', async () => {
    const before = awake()
    const { line } = setUp()
    expect(awake()).toBe(before)
    const one = line.call('double', 1)
    const other = line.call('fail').catch(() => {})
    expect(awake()).toBe(before + 1)
    await Promise.all([one, other])
    expect(awake()).toBe(before)
  })

  it.each([
    ['dies', diedError(), 'ERR_GRANTS_WORKER_DIED'],
    ['ends', undefined, 'ERR_GRANTS_CLOSED'],
  ])('whose worker %s settles every call, and takes none any more', async (_name, died, code) => {
    const { thread, line } = setUp({ answers: false })
    const under = [line.call('double', 0), line.call('double', 0)]
    thread.emit('end', died)
    for (const call of under) await expect(call).rejects.toMatchObject({ code })
    await expect(line.call('double', 1)).rejects.toMatchObject({ code })
  })

  it('that is closed settles every call, and then asks the worker to close', async () => {
    const { thread, line } = setUp({ answers: false })
    const hanging = line.call('double', 0)
    const closed = line.close()
    await expect(hanging).rejects.toMatchObject({ code: 'ERR_GRANTS_CLOSED' })
    await closed
    expect(thread.sent).toEqual(['serve', 'close'])
  })
})

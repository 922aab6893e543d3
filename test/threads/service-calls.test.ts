// A service and the port of its client, on which anything may arrive.
import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { GrantError } from '../../src/errors.js'
import { serveCalls, type Together } from '../../src/threads/service-calls.js'
import { Answered } from '../../src/threads/thread-messages.js'

const { returned, failed } = Answered

let channel: MessageChannel | undefined
afterEach(() => channel?.port1.close())

function setUp({ together }: { together?: Record<string, Together> } = {}) {
  const log: string[] = []
  const methods = {
    add: (...numbers: number[]) => {
      log.push(`add ${numbers}`)
      return numbers.reduce((sum, n) => sum + n, 0)
    },
    fail: () => {
      throw new GrantError('EINVAL', 'refused')
    },
  }
  channel = new MessageChannel()
  const { port1, port2 } = channel
  serveCalls(port2, { methods, ...(together && { together }) })
  const ask = async (message: unknown): Promise<unknown> => {
    port1.postMessage(message)
    return (await once(port1, 'message'))[0]
  }
  return { port1, log, ask }
}

describe('a service', () => {
  it('carries out what was called together in order, and answers it together', async () => {
    const { ask, log } = setUp()
    const answers = await ask([7, 'add', 2, 1, 2, 8, 'fail', 0, 9, 'add', 0])
    expect(answers).toEqual([
      7,
      returned,
      3,
      8,
      failed,
      expect.objectContaining({ message: 'refused' }),
      9,
      returned,
      0,
    ])
    expect(log).toEqual(['add 1,2', 'add '])
  })

  it('carries out calls that follow each other together where it has a way, and a lone one alone', async () => {
    const seen: unknown[] = []
    const together: Record<string, Together> = {
      add: (calls) => {
        seen.push(calls)
        return calls.map((_, i) => ({ value: i }))
      },
    }
    const { ask } = setUp({ together })
    const answers = await ask([1, 'add', 1, 5, 2, 'add', 1, 6, 3, 'fail', 0, 4, 'add', 1, 7])
    expect(seen).toEqual([[[5], [6]]])
    expect((answers as unknown[]).filter((_, i) => i % 3 === 2)).toEqual([0, 1, expect.anything(), 7])
  })

  it.each([
    ['what is no array', { type: 'add' }],
    ['nothing', undefined],
    ['a call without a number', ['1', 'add', 0]],
    ['one of a number that is none', [Number.NaN, 'add', 0]],
    ['one of no method', [1, 'subtract', 0]],
    ['one of what every object has', [1, 'toString', 0]],
    ['one of a method that is none', [1, 5, 0]],
    ['one that breaks off', [1, 'add']],
    ['one with fewer arguments than it says', [1, 'add', 3, 1, 2]],
    ['one with less than none', [1, 'add', -1]],
    ['one with a number of arguments that is none', [1, 'add', 0.5, 1]],
    ['one with too many', [1, 'add', 2 ** 53, 1]],
    ['a call behind one that is in order', [1, 'add', 0, 2, 'add', 1]],
  ])('closes its port when %s arrives, and carries out nothing of it', async (_name, message) => {
    const { port1, log } = setUp()
    port1.postMessage(message)
    await once(port1, 'close')
    expect(log).toEqual([])
  })
})

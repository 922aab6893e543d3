// Requests, watches and what keeps the process alive, on a transport that is this test's.
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { MAX_PAYLOAD, MessageReader, MessageType, type StoreMessage } from '../../src/drivers/xenbus/wire.js'
import { strings } from '../../src/xenstore/caller.js'
import { StoreConnection } from '../../src/xenstore/store-connection.js'
import { XenStoreError } from '../../src/xenstore/store-error.js'
import { Transactions } from '../../src/xenstore/transactions.js'
import type { StoreTransport, TransportListener } from '../../src/xenstore/transport.js'
import { WatchStream } from '../../src/xenstore/watch-stream.js'
import { Watches } from '../../src/xenstore/watches.js'

class FakeTransport implements StoreTransport {
  readonly path = 'fake'
  readonly maxPayload = MAX_PAYLOAD
  readonly maxPending: number
  readonly sent: StoreMessage[] = []
  /** Whether it keeps the process alive. */
  awake = false
  closed = 0
  listener!: TransportListener
  readonly #reader = new MessageReader(MAX_PAYLOAD)

  constructor(maxPending: number) {
    this.maxPending = maxPending
  }

  start(listener: TransportListener): void {
    this.listener = listener
  }
  send(request: Buffer): void {
    this.sent.push(...this.#reader.push(request))
  }
  ref(): void {
    this.awake = true
  }
  unref(): void {
    this.awake = false
  }
  async close(): Promise<void> {
    this.closed++
  }

  /** Answers the request that came at this place. */
  answer(at: number, payload: string | Buffer, type = this.sent[at]!.type): void {
    const { requestId, transactionId } = this.sent[at]!
    this.listener.message({ type, requestId, transactionId, payload: Buffer.from(payload) })
  }

  event(path: string, token: string): void {
    const payload = Buffer.from(`${path}\0${token}\0`)
    this.listener.message({ type: MessageType.watchEvent, requestId: 0, transactionId: 0, payload })
  }
}

function setUp(window = 2, maxPending = Number.POSITIVE_INFINITY) {
  const transport = new FakeTransport(maxPending)
  const connection = new StoreConnection(transport, { window, timeout: 0 })
  const lane = {}
  const read = (path: string, signal?: AbortSignal): Promise<Buffer> => {
    const request = { type: MessageType.read, message: strings(path), transactionId: 0, lane, signal }
    const answer = connection.request({ ...request, subject: { operation: 'read', path } })
    answer.catch(() => {})
    return answer
  }
  return { transport, connection, read }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a connection', () => {
  it('asks one thing at a time of a transport that can do no more, whatever the window', async () => {
    const { transport, read } = setUp(64, 1)
    const answers = ['/a', '/b', '/c'].map((path) => read(path))
    expect(transport.sent).toHaveLength(1)
    transport.answer(0, 'one')
    expect(transport.sent).toHaveLength(2)
    transport.answer(1, 'two')
    transport.answer(2, 'three')
    expect((await Promise.all(answers)).map(String)).toEqual(['one', 'two', 'three'])
  })

  it('keeps the process alive for who waits, and not for who has stopped waiting', async () => {
    const { transport, read } = setUp()
    const stop = new AbortController()
    const [stopped, waiting] = [read('/a', stop.signal), read('/b')]
    expect(transport.awake).toBe(true)
    stop.abort(new Error('enough'))
    await expect(stopped).rejects.toThrow('enough')
    transport.answer(0, 'late')
    expect(transport.awake).toBe(true)
    transport.answer(1, 'value')
    expect((await waiting).toString()).toBe('value')
    expect(transport.awake).toBe(false)
    const other = new AbortController()
    const alone = read('/c', other.signal)
    other.abort(new Error('enough'))
    await expect(alone).rejects.toThrow('enough')
    expect(transport.awake).toBe(false)
  })

  it('keeps nothing alive once it is lost, whoever has waited', async () => {
    const { transport, connection, read } = setUp(1)
    const stop = new AbortController()
    const reads = [read('/a'), read('/b', stop.signal), read('/c')]
    stop.abort(new Error('enough'))
    transport.listener.lost(new XenStoreError('ECONNRESET', 'gone', { operation: 'read' }))
    const codes = await Promise.all(reads.map((one) => one.catch((error) => error.code ?? error.message)))
    expect(codes).toEqual(['ECONNRESET', 'enough', 'ECONNRESET'])
    expect([transport.awake, transport.closed, getEventListeners(stop.signal, 'abort')]).toEqual([
      false,
      1,
      [],
    ])
    await connection.close()
    expect(transport.closed).toBe(1)
  })

  it.each([
    [MessageType.read, MAX_PAYLOAD, undefined],
    [MessageType.read, MAX_PAYLOAD + 1, 'ERR_GRANTS_PROTOCOL'],
    [MessageType.directory, MAX_PAYLOAD + 1, undefined],
  ])('takes an answer to request %i of %i bytes: %s', async (type, length, code) => {
    const { transport, connection } = setUp()
    const subject = { operation: 'read' }
    const answer = connection.request({ type, message: strings('/a'), transactionId: 0, lane: {}, subject })
    transport.answer(0, Buffer.alloc(length))
    const found = await answer.then(
      (bytes) => bytes.length,
      (error) => error.code,
    )
    expect([found, connection.lost?.code]).toEqual([code ?? length, code])
  })
})

describe('a watch', () => {
  function watching() {
    const { transport, connection } = setUp()
    const watches = new Watches(connection)
    const watch = (signal?: AbortSignal) => new WatchStream({ connection, watches }, ['/w'], signal)
    const accept = (): string => {
      const token = transport.sent.at(-1)!.payload.toString().split('\0')[1]!
      transport.answer(transport.sent.length - 1, 'OK\0')
      return token
    }
    return { transport, watch, accept }
  }

  it('of a path that is watched already has its first event at once', async () => {
    const { transport, watch, accept } = watching()
    const first = watch().next()
    transport.event('/w', accept())
    await first
    const second = watch()
    expect((await second.next()).value).toEqual({ path: '/w', initial: true })
    expect(transport.sent).toHaveLength(1)
  })

  it.each(['left', 'aborted'])(
    'that is %s leaves no listener on its signal, and keeps nothing alive',
    async (how) => {
      const { transport, watch, accept } = watching()
      const stop = new AbortController()
      const stream = watch(stop.signal)
      const first = stream.next()
      transport.event('/w', accept())
      await first
      const next = stream.next()
      next.catch(() => {})
      expect(transport.awake).toBe(true)
      if (how === 'aborted') stop.abort(new Error('enough'))
      const left = stream.return()
      await turn()
      expect(transport.sent.at(-1)!.type).toBe(MessageType.unwatch)
      accept()
      await left
      if (how === 'left') expect(await next).toEqual({ done: true, value: undefined })
      else await expect(next).rejects.toThrow('enough')
      expect([transport.awake, getEventListeners(stop.signal, 'abort')]).toEqual([false, []])
    },
  )
})

describe('transactions', () => {
  /** As xenstored: begins each with a number of its own, and ends it as it is told to. */
  function transacting(count: number, end: (ended: number) => string | undefined) {
    const { transport, connection } = setUp(10)
    let ended = 0
    let open = 0
    let most = 0
    const send = transport.send.bind(transport)
    transport.send = (request) => {
      send(request)
      const at = transport.sent.length - 1
      const { type } = transport.sent[at]!
      const refusal = type === MessageType.transactionEnd ? end(ended++) : undefined
      if (type === MessageType.transactionStart) most = Math.max(most, ++open)
      else open--
      queueMicrotask(() => {
        if (refusal) transport.answer(at, `${refusal}\0`, MessageType.error)
        else transport.answer(at, type === MessageType.transactionStart ? `${at + 1}\0` : 'OK\0')
      })
    }
    return { transport, transactions: new Transactions(connection, count), most: () => most }
  }

  it('are as many at once as there may be, however many there are', async () => {
    const { transactions, most } = transacting(2, () => undefined)
    const all = Array.from({ length: 7 }, (_, i) => transactions.run(() => i, 0, undefined))
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(most()).toBe(2)
  })

  it.each(['EAGAIN', 'ENOENT', 'EIO'])(
    'that end with %s are tried again, as often as they may be',
    async (code) => {
      for (const [conflicts, retries] of [
        [2, 2],
        [3, 2],
      ] as const) {
        const { transactions } = transacting(1, (ended) => (ended < conflicts ? code : undefined))
        let tries = 0
        const done = transactions.run(() => ++tries, retries, undefined)
        if (conflicts > retries) await expect(done).rejects.toMatchObject({ code, operation: 'transaction' })
        else expect(await done).toBe(3)
        expect(tries).toBe(3)
      }
    },
  )

  it('that fail give their place back, and are tried no more', async () => {
    const { transactions } = transacting(1, () => undefined)
    for (let i = 0; i < 3; i++) {
      let tries = 0
      const failing = transactions.run(
        () => {
          tries++
          throw new Error('broke')
        },
        5,
        undefined,
      )
      await expect(failing).rejects.toThrow('broke')
      expect(tries).toBe(1)
    }
    const refused = transacting(1, () => 'ENOSPC').transactions
    for (let i = 0; i < 3; i++)
      await expect(refused.run(() => 1, 0, undefined)).rejects.toMatchObject({ code: 'ENOSPC' })
  })
})

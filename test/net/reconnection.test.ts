import { getEventListeners } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import { expect, it } from 'vitest'
import { connect, type ServiceSocket } from 'xen-grants/vchan'
import { ended } from '../vchan/ends.js'
import { CLIENT, exchange, NAME, SERVER, useServices } from './shared-services.js'

const net = useServices()
const echo = (socket: ServiceSocket): void => void socket.on('error', () => {}).pipe(socket)
const again = (options: { timeout?: number; signal?: AbortSignal } = {}) =>
  connect(net.domain(CLIENT), { domid: SERVER, name: NAME, reconnect: true, ...options })

it('gives a new stream when the service has come back', async () => {
  let service = await net.listen({}, echo)
  const seen: ServiceSocket[] = []
  for await (const socket of await again()) {
    seen.push(net.keep(socket))
    expect(await exchange(socket, `stream ${seen.length}`)).toBe(`stream ${seen.length}`)
    if (seen.length === 3) break
    await service.close({ force: true })
    service = await net.listen({}, echo)
  }
  expect(new Set(seen).size).toBe(3)
  // Leaving the loop has closed the last.
  await ended(seen[2]!)
})

it('waits for a service that is not there yet', async () => {
  const streams = (await again())[Symbol.asyncIterator]()
  const first = streams.next()
  await net.listen({}, echo)
  const { value } = await first
  expect(await exchange(net.keep(value!), 'there')).toBe('there')
  await streams.return(undefined)
})

it('with a time limit it throws when the service stays away', async () => {
  const streams = (await again({ timeout: 1 }))[Symbol.asyncIterator]()
  await expect(streams.next()).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})

it('close() ends the loop, whether it waits or has a stream', async () => {
  const waiting = await again()
  const none = waiting[Symbol.asyncIterator]().next()
  await waiting.close()
  expect(await none).toEqual({ done: true, value: undefined })

  await net.listen({}, echo)
  const connected = await again()
  let count = 0
  for await (const socket of connected) {
    count++
    net.keep(socket)
    await exchange(socket, 'x')
    await connected.close()
    expect(socket.closed).toBe(true)
  }
  expect(count).toBe(1)
})

it('the signal ends it with its reason, and closes the stream', async () => {
  await net.listen({}, echo)
  const stop = new AbortController()
  const loop = (async () => {
    for await (const socket of await again({ signal: stop.signal })) {
      net.keep(socket)
      await exchange(socket, 'x')
      stop.abort(new Error('enough'))
    }
  })()
  await expect(loop).rejects.toThrow('enough')
})

/** The times that the package waits for while that is done, in milliseconds. */
async function pauses(work: () => Promise<unknown>): Promise<unknown[]> {
  const { setTimeout } = timers
  const asked: unknown[] = []
  const noted = (run: () => void, milliseconds?: number): NodeJS.Timeout => {
    asked.push(milliseconds)
    return setTimeout(run, milliseconds)
  }
  Object.assign(timers, { setTimeout: noted })
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(timers, { setTimeout })
    syncBuiltinESMExports()
  }
  return asked
}

it('a service that hangs up at once is asked again after a pause only', async () => {
  await net.listen({}, (socket) => void socket.on('error', () => {}).destroy())
  let count = 0
  const waited = await pauses(async () => {
    for await (const socket of await again()) {
      net.keep(socket)
      if (++count === 4) break
    }
  })
  // Then 100 and 200, unless the machine stands still for so long that one of them has lasted.
  expect(waited).toContain(50)
})

it('a signal that outlives the loop is not held on to', async () => {
  await net.listen({}, echo)
  const stop = new AbortController()
  const streams = await again({ signal: stop.signal })
  for await (const socket of streams) {
    net.keep(socket)
    break
  }
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  stop.abort(new Error('enough'))
  await expect(streams[Symbol.asyncIterator]().next()).rejects.toThrow('enough')
  await streams.close()
  expect(await streams[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined })
})

it('a stream that fails when the loop has done with it leads to the next', async () => {
  await net.listen({}, echo)
  let count = 0
  for await (const socket of await again()) {
    net.keep(socket)
    if (++count === 2) break
    // After the loop has gone on to wait for the end of this one.
    setImmediate(() => socket.destroy(new Error('of the stream')))
  }
  expect(count).toBe(2)
})

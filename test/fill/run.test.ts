import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Grant, GrantServer } from 'xen-grants'
import { useServer } from '../setup/server.js'
import { rejection } from '../setup/xen.js'

const world = useServer({ fillers: { threads: 2, abortGrace: 50 } })
const module = new URL('../fixtures/filler.mjs', import.meta.url)
let server: GrantServer
let grant: Grant

beforeEach(async () => {
  server = world.server
  grant = await server.share({ domid: 7, pages: 10 })
})
afterEach(() => grant.unshare())

/** A flag a module sets when it has begun. */
const flag = (): Int32Array => new Int32Array(new SharedArrayBuffer(4))
const raised = async (it: Int32Array): Promise<void> => {
  const wait = Atomics.waitAsync(it, 0, 0)
  const awake = setInterval(() => {}, 1000)
  if (wait.async) await wait.value
  clearInterval(awake)
}

describe('run', () => {
  it('gives every slice to the module once and returns its results in order', async () => {
    const results = await grant.run(module, { sliceBytes: 3 * 4096 })
    expect(results).toEqual(
      [0, 1, 2, 3].map((index) => {
        const length = index === 3 ? 4096 : 3 * 4096
        const offset = index * 3 * 4096
        return { index, slices: 4, offset, length, at: offset, whole: 10 * 4096 }
      }),
    )
    for (const [i, byte] of grant.bytes.entries()) expect(byte).toBe(Math.floor(i / (3 * 4096)) + 1)
  })

  it('reaches the device worker from a filler: notify, facts', async () => {
    const facts = await grant.run(module, { sliceBytes: 4096, args: { do: 'notify' } })
    expect(facts).toEqual([...grant.refs].map((ref) => ({ domid: 7, pages: 10, ref })))
  })

  it('release() from a filler unshares the grant once the run has ended', async () => {
    const mapped = await world.xen.domain(7).map(grant.refs)
    expect(await grant.run(module, { args: { do: 'release' } })).toEqual([9])
    await grant.unshare()
    expect(grant.bytes.length).toBe(0)
    await mapped.unmap()
  })

  it('a view that a module keeps reads zeros once the grant has gone', async () => {
    await using one = await GrantServer.open({ device: world.xen, fillers: { threads: 1 } })
    await using other = await one.share({ domid: 7, pages: 1 })
    const small = await one.share({ domid: 7, pages: 1 })
    small.bytes.fill(3)
    await small.run(module, { args: { do: 'keep' } })
    expect(await other.run(module, { args: { do: 'kept' } })).toEqual([3])
    await small.unshare()
    expect(await other.run(module, { args: { do: 'kept' } })).toEqual([0])
  })
})

describe('a module that fails', () => {
  it('rejects with its error, class, code and fields, and the grant is intact', async () => {
    const error = await rejection(grant.run(module, { args: { do: 'throw' } }))
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: 'module broke', code: 'E_MODULE', detail: 42 })
    expect(error.stack).toContain('filler.mjs')
    await grant.run(module)
    expect(grant.bytes[0]).toBe(1)
  })
  it('does not exist', async () => {
    const error = await rejection(grant.run(new URL('../fixtures/none.mjs', import.meta.url)))
    expect(error.code).toBe('ERR_MODULE_NOT_FOUND')
  })
  it('has no default export', async () => {
    const error = await rejection(grant.run('data:text/javascript,export const x = 1'))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  })
  it.each([
    ['a function', 'data:text/javascript,export default () => () => 1'],
    ['a symbol', 'data:text/javascript,export default () => Symbol("x")'],
    ['an object with one in it', 'data:text/javascript,export default () => ({ deep: [() => 1] })'],
  ])('returns what cannot be passed on (%s)', async (_name, source) => {
    const error = await rejection(grant.run(source))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' })
    expect(error.message).toContain('slice 0')
    await grant.run(module)
  })
  it('is not run with arguments that cannot be passed on, and its threads live', async () => {
    const error = await rejection(grant.run(module, { args: { f: () => 1 } }))
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    expect(error.message).toContain('options.args')
    await Promise.all([grant.run(module), grant.run(module)])
  })
  it('throws an error of a class of its own: name, built-in class and all fields that are data arrive', async () => {
    const error = await rejection(grant.run(module, { args: { do: 'class' } }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'of its own', at: { page: 3 }, list: [1, 2] })
    expect('how' in error).toBe(false)
  })
  it('posts messages of its own to whoever started its thread, without harm', async () => {
    const text = `
      import { parentPort } from 'node:worker_threads'
      export default () => {
        for (const message of [null, 1, {}, { lateError: 3 }, { lateError: { message: 'x' } }]) parentPort.postMessage(message)
        return 1
      }`
    const posting = `data:text/javascript,${encodeURIComponent(text)}`
    expect(await grant.run(posting)).toEqual([1])
    expect(await grant.run(posting)).toEqual([1])
  })
  it('throws when its run is over: that is reported, and the next run does not suffer', async () => {
    await using one = await GrantServer.open({ device: world.xen, fillers: { threads: 1 } })
    const other = await one.share({ domid: 7, pages: 1 })
    const warned = once(process, 'warning')
    expect(await other.run(module, { args: { do: 'later' } })).toEqual(['done'])
    for (let i = 0; i < 20; i++) await other.run(module)
    const [warning] = (await warned) as [Error]
    expect(warning.message).toContain('after the end of its run')
    expect(warning.message).toContain('filler.mjs')
    expect((warning.cause as Error).message).toBe('too late')
    await other.run(module)
  })
  it.each(['exit', 'uncaught'])('kills its thread (%s)', async (how) => {
    const error = await rejection(grant.run(module, { args: { do: how } }))
    expect(error).toMatchObject({ name: 'GrantError', code: 'ERR_GRANTS_WORKER_DIED' })
    await grant.fill({ byte: 4 })
    await grant.run(module)
    expect(grant.bytes[0]).toBe(1)
  })
})

describe('abort', () => {
  it.each(['listen', 'poll', 'spin'])('of a module that does %s', async (what) => {
    const controller = new AbortController()
    const started = flag()
    const running = grant.run(module, { args: { do: what, started }, signal: controller.signal })
    await raised(started)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await rejection(running)).toBe(reason)
    await grant.run(module)
    expect(grant.bytes[0]).toBe(1)
  })
  it('of a run that waits for a thread', async () => {
    const controllers = [new AbortController(), new AbortController(), new AbortController()]
    const started = flag()
    const runs = controllers.map(({ signal }) =>
      rejection(grant.run(module, { args: { do: 'listen', started }, signal })),
    )
    await raised(started)
    for (const controller of controllers.reverse()) controller.abort(new Error('enough'))
    for (const running of runs) expect((await running).message).toBe('enough')
  })
})

describe('unshare', () => {
  it('waits for a run', async () => {
    const started = flag()
    const controller = new AbortController()
    const running = grant.run(module, { args: { do: 'listen', started }, signal: controller.signal })
    running.catch(() => {})
    await raised(started)
    let unshared = false
    const unsharing = grant.unshare().then(() => {
      unshared = true
    })
    await server.stats()
    expect(unshared).toBe(false)
    controller.abort()
    await unsharing
    await rejection(running)
  })
  it('by force does not wait, and a thread still writing does not crash', async () => {
    const started = flag()
    const running = rejection(grant.run(module, { args: { do: 'spin', started } }))
    await raised(started)
    await grant.unshare({ force: true })
    expect(grant.bytes.length).toBe(0)
    const other = await server.share({ domid: 7, pages: 10 })
    expect((await running).code).toBe('ERR_GRANTS_UNSHARED')
    expect(other.bytes.every((byte) => byte === 0)).toBe(true)
    await other.unshare()
  })
})

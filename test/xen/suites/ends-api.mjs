import assert from 'node:assert/strict'
import { EventChannels, GrantMapper, GrantServer } from '../../../dist/src/index.js'
import { exchange } from '../guest/exchange.mjs'

const PAGE = 4096
const GONE = 30_000

async function open(t, kind) {
  const opened = await kind.open()
  t.defer(() => opened.close({ force: true }))
  return opened
}

let opened

/** The same two for all: each takes a thread and seconds to start here. They end with the suite's process. */
async function ends(t) {
  opened ??= Promise.all([GrantServer.open(), GrantMapper.open()])
  const [server, mapper] = await opened
  return {
    mapper,
    async share(options) {
      const grant = await server.share({ domid: 0, pages: 4, ...options })
      t.defer(() => grant.unshare({ force: true }))
      return grant
    },
  }
}

async function rejection(promise) {
  return promise.then(
    () => assert.fail('it should have been refused'),
    (error) => error,
  )
}

export default {
  name: 'mapper and channels',
  tests: [
    {
      name: 'what the server fills the mapper reads, and back; filled, run over and streamed by the same means',
      async run(t) {
        const { mapper, share } = await ends(t)
        const grant = await share({ writable: true })
        await grant.fill({ byte: 3 })
        const mapped = await mapper.map({ domid: 0, refs: grant.refs, writable: true })
        assert.ok(mapped.bytes.every((byte) => byte === 3))
        await mapped.fill({ byte: 9 })
        assert.ok(grant.bytes.every((byte) => byte === 9))
        grant.bytes.set([1, 2, 3], 2 * PAGE)
        const chunks = []
        for await (const chunk of mapped.createReadStream({ start: 2 * PAGE, end: 2 * PAGE + 3 }))
          chunks.push(chunk)
        assert.deepEqual([...Buffer.concat(chunks)], [1, 2, 3])
        const view = mapped.bytes
        await mapped.unmap()
        assert.deepEqual([mapped.bytes.length, view.every((byte) => byte === 0)], [0, true])
        await grant.unshare()
      },
    },
    {
      name: 'unmapping by force leaves the pages at once, while something still writes',
      async run(t) {
        const { mapper, share } = await ends(t)
        const grant = await share({ writable: true })
        const mapped = await mapper.map({ domid: 0, refs: grant.refs, writable: true })
        const running = rejection(mapped.fill(endless()))
        await mapped.unmap({ force: true })
        assert.equal((await running).code, 'ERR_GRANTS_UNSHARED')
        const { refs } = grant
        await grant.unshare()
        assert.equal((await rejection(mapper.map({ domid: 0, refs }))).code, 'EINVAL')
      },
    },
    {
      name: 'names the reference that cannot be mapped, wherever it is',
      async run(t) {
        const { mapper, share } = await ends(t)
        const grant = await share({ pages: 33 })
        for (const bad of [0, 1, 17, 32]) {
          const refs = [...grant.refs]
          refs[bad] = GONE
          const error = await rejection(mapper.map({ domid: 0, refs }))
          assert.deepEqual(
            [error.name, error.code, error.domid, error.ref, error.pages],
            ['GrantError', 'EINVAL', 0, GONE, 33],
          )
        }
        const readOnly = await rejection(mapper.map({ domid: 0, refs: grant.refs, writable: true }))
        assert.equal(readOnly.ref, grant.refs[0])
        // Nothing of the failed tries is left mapped: an offer that cannot be mapped does not count as mapped.
        const offer = await grant.offer()
        await rejection(mapper.map({ domid: 0, offer: { ...offer, refs: [GONE] } }))
        assert.equal(grant.peer, 'never mapped')
        const mapped = await mapper.map({ domid: 0, refs: grant.refs })
        await mapped.unmap()
      },
    },
    {
      name: 'copies between grants and memory, each segment with its own fate',
      async run(t) {
        const { mapper, share } = await ends(t)
        const [grant, readOnly] = [await share({ writable: true }), await share()]
        const [ref, second] = grant.refs
        grant.bytes.set([1, 2, 3, 4], 100)
        const memory = new Uint8Array(4)
        const results = await mapper.copy([
          { source: { domid: 0, ref, offset: 100 }, target: memory },
          { source: new Uint8Array([7, 8, 9]), target: { domid: 0, ref, offset: 4093 } },
          { source: new Uint8Array([7]), target: { domid: 0, ref: readOnly.refs[0] } },
          { source: { domid: 0, ref, offset: 4093 }, target: { domid: 0, ref: second }, length: 3 },
          { source: { domid: 999, ref }, target: memory },
        ])
        assert.deepEqual(
          results.map(({ name }) => name),
          ['GNTST_okay', 'GNTST_okay', 'GNTST_general_error', 'GNTST_okay', 'GNTST_bad_domain'],
        )
        assert.deepEqual([...memory], [1, 2, 3, 4])
        assert.deepEqual([...grant.bytes.subarray(4093, 4099)], [7, 8, 9, 7, 8, 9])
      },
    },
    {
      name: 'an unmap notification of the mapper reaches the granter: byte and event',
      async run(t) {
        const { mapper, share } = await ends(t)
        const events = await open(t, EventChannels)
        const grant = await share({ writable: true })
        grant.bytes.fill(1)
        const near = await events.bindUnbound(0)
        const far = await events.bindInterdomain(0, near.port)
        await far.wait()
        const mapped = await mapper.map({
          domid: 0,
          refs: grant.refs,
          writable: true,
          unmapNotify: { page: 1, clearByte: 5, port: far.port },
        })
        await far.close()
        const event = near.wait()
        await mapped.unmap()
        await event
        assert.deepEqual([...grant.bytes.subarray(PAGE + 4, PAGE + 7)], [1, 0, 1])
      },
    },
    {
      name: 'events go both ways, to waiters, listeners and iterators; a closed channel ends them',
      async run(t) {
        const [here, there] = [await open(t, EventChannels), await open(t, EventChannels)]
        const near = await here.bindUnbound(0)
        const far = await there.bindInterdomain(0, near.port)
        await far.wait()
        let answered = 0
        far.on('event', () => {
          answered++
          far.notify()
        })
        for (let round = 0; round < 50; round++) {
          const answer = near.wait()
          near.notify()
          await answer
        }
        assert.equal(answered, 50)
        const iterating = (async () => {
          for await (const _ of near) await near.close()
        })()
        far.notify()
        await iterating
        assert.throws(() => near.notify(), { code: 'ERR_GRANTS_CLOSED' })
        const refused = await rejection(there.bindInterdomain(0, 4000))
        assert.deepEqual([refused.code, refused.syscall], ['EINVAL', 'ioctl'])
        assert.equal((await rejection(there.bindInterdomain(999, 1))).code, 'ESRCH')
      },
    },
    {
      name: 'two processes exchange 16 MiB through 1024 pages each, SHA-256 equal at both ends',
      timeoutMs: 120_000,
      run(t) {
        exchange(t, 8, 110_000)
      },
    },
  ],
}

/** A source that goes on as long as it is read. */
async function* endless() {
  for (;;) yield Buffer.alloc(PAGE, 1)
}

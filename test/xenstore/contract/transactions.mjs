import assert from 'node:assert/strict'
import { next, refused } from './support.mjs'

export default {
  name: 'transactions',
  tests: [
    {
      name: 'nobody sees what is written before the end, and then all of it at once',
      async run({ store, root, open }) {
        const other = await open()
        const result = await store.transaction(async (t) => {
          await t.write(`${root}/a/b`, '1')
          await t.write(`${root}/c`, '2')
          assert.equal(await t.readText(`${root}/a/b`), '1')
          assert.equal(await other.exists(`${root}/a`), false)
          assert.equal(await store.exists(`${root}/c`), false)
          return 'done'
        })
        assert.equal(result, 'done')
        assert.deepEqual([await other.readText(`${root}/a/b`), await other.readText(`${root}/c`)], ['1', '2'])
      },
    },
    {
      name: 'a throw undoes everything, and is what the caller gets',
      async run({ store, root }) {
        const thrown = new Error('changed my mind')
        const attempts = []
        await assert.rejects(
          store.transaction(async (t) => {
            attempts.push(t)
            await t.write(`${root}/a`, '1')
            throw thrown
          }),
          (error) => error === thrown,
        )
        assert.equal(attempts.length, 1)
        assert.equal(await store.exists(`${root}/a`), false)
        // Also what xenstored itself has said, about a node that is really absent.
        await refused(
          store.transaction((t) => t.read(`${root}/absent`)),
          { code: 'ENOENT', path: `${root}/absent` },
        )
      },
    },
    {
      name: 'a conflict is tried again with fresh reads until it goes through',
      async run({ store, root, open }) {
        const other = await open()
        await store.write(`${root}/n`, '0')
        const views = new Set()
        const seen = []
        await store.transaction(async (t) => {
          views.add(t)
          const n = await t.readInt(`${root}/n`)
          seen.push(n)
          if (n < 3) await other.write(`${root}/n`, String(n + 1))
          await t.write(`${root}/n`, String(n + 100))
        })
        assert.deepEqual([seen, views.size], [[0, 1, 2, 3], 4])
        assert.equal(await store.readInt(`${root}/n`), 103)
      },
    },
    {
      name: 'conflicts are told when there were too many',
      async run({ store, root, open }) {
        const other = await open()
        let attempts = 0
        const conflicting = store.transaction(
          async (t) => {
            await t.tryRead(`${root}/n`)
            await t.write(`${root}/m`, '')
            await other.write(`${root}/n`, String(attempts++))
          },
          { retries: 2 },
        )
        const error = await refused(conflicting, { code: 'EAGAIN', operation: 'transaction' })
        assert.match(error.message, /tried 3 times/)
        assert.deepEqual([attempts, await store.exists(`${root}/m`)], [3, false])
      },
    },
    {
      name: 'a node that is removed outside, below what the transaction removes, is a conflict and no error',
      async run({ store, root, open }) {
        const other = await open()
        await store.write(`${root}/d/a`, '1')
        await store.write(`${root}/d/b`, '2')
        let attempts = 0
        await store.transaction(async (t) => {
          const names = await t.list(`${root}/d`)
          if (attempts++ === 0) await other.remove(`${root}/d/a`)
          assert.deepEqual(names, attempts === 1 ? ['a', 'b'] : ['b'])
          await t.remove(`${root}/d`)
        })
        assert.deepEqual([attempts, await store.exists(`${root}/d`)], [2, false])
      },
    },
    {
      name: 'clients in contention lose no update, and all get through',
      timeoutMs: 120_000,
      async run({ store, root, open, effort }) {
        const [clients, rounds] = [8, 50 * effort]
        await store.write(`${root}/sum`, '0')
        const stores = await Promise.all(Array.from({ length: clients }, () => open()))
        await Promise.all(
          stores.map(async (one) => {
            for (let round = 0; round < rounds; round++)
              await one.transaction(async (t) => {
                const sum = await t.readInt(`${root}/sum`)
                await t.write(`${root}/sum`, String(sum + 1))
              })
          }),
        )
        assert.equal(await store.readInt(`${root}/sum`), clients * rounds)
      },
    },
    {
      name: 'many at once wait for each other instead of taking all that the domain may have',
      async run({ root, open }) {
        const store = await open({ maxTransactions: 3 })
        let atOnce = 0
        let most = 0
        const run = (index) =>
          store.transaction(async (t) => {
            most = Math.max(most, ++atOnce)
            await t.write(`${root}/d${index}/x`, '1')
            await t.exists(`${root}/d${index}`)
            atOnce--
          })
        // Its own directory each, made before: two that add to the same one are in conflict.
        for (let index = 0; index < 20; index++) await store.mkdir(`${root}/d${index}`)
        await Promise.all(Array.from({ length: 20 }, (_, index) => run(index)))
        assert.equal(most, 3)
        assert.equal((await store.list(root)).length, 20)
      },
    },
    {
      name: 'more than a guest may have open are all done, one after the other',
      needs: 'domains',
      async run({ domain }) {
        const { guest } = await domain({ maxTransactions: 64 })
        for (let index = 0; index < 40; index++) await guest.mkdir(`data/d${index}`)
        const write = (_, index) => guest.transaction((t) => t.write(`data/d${index}/x`, '1'))
        await Promise.all(Array.from({ length: 40 }, write))
        for (let index = 0; index < 40; index++) assert.equal(await guest.readText(`data/d${index}/x`), '1')
      },
    },
    {
      name: 'an abort undoes it, also while it waits for others, and gives its place back',
      async run({ open, root }) {
        const store = await open({ maxTransactions: 1 })
        const stop = new AbortController()
        const inside = resolvers()
        const first = store.transaction(
          async (t) => {
            await t.write(`${root}/a`, '1')
            inside.resolve()
            await new Promise(() => {})
          },
          { signal: stop.signal },
        )
        await inside.promise
        const waiting = store.transaction(() => assert.fail('it was aborted before its turn'), {
          signal: stop.signal,
        })
        const reason = new Error('enough')
        const both = Promise.all(
          [first, waiting].map((one) => assert.rejects(one, (error) => error === reason)),
        )
        stop.abort(reason)
        await both
        assert.equal(await store.transaction((t) => t.exists(`${root}/a`)), false)
      },
    },
    {
      name: 'those that are aborted, whenever, are all ended: a guest has room for more after any number of them',
      needs: 'domains',
      async run({ domain }) {
        const { guest } = await domain({ maxTransactions: 8 })
        const reason = new Error('enough')
        const work = async (t) => {
          for (let round = 0; round < 3; round++) await t.write(`data/${round}`, '')
        }
        for (let round = 0; round < 100; round++) {
          const stop = new AbortController()
          const begun = guest.transaction(work, { signal: stop.signal })
          const ended = begun.then(
            () => {},
            (error) => assert.equal(error, reason),
          )
          // After as many turns of the event loop, which is somewhere on its way from the beginning to the end.
          for (let turn = round % 10; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve))
          stop.abort(reason)
          await ended
        }
        for (let index = 0; index < 8; index++) await guest.mkdir(`data/d${index}`)
        const all = Array.from({ length: 8 }, (_, index) =>
          guest.transaction((t) => t.write(`data/d${index}/x`, ''), { retries: 0 }),
        )
        await Promise.all(all)
      },
    },
    {
      name: 'what belongs to one that has ended is of no use any more',
      async run({ store, root }) {
        let kept
        await store.transaction((t) => {
          kept = t
        })
        await refused(kept.read(root), { code: 'ERR_GRANTS_CLOSED', operation: 'read', path: root })
      },
    },
    {
      name: 'one within another of the same store is refused, since it would see nothing of it',
      async run({ store, root, open }) {
        const other = await open()
        await store.transaction(async (t) => {
          await t.exists(root)
          await refused(
            store.transaction(() => {}),
            { code: 'EBUSY' },
          )
          await other.transaction(() => {})
        })
        await store.transaction(() => {})
      },
    },
    {
      name: 'what is changed in one fires watches when it is committed, and not when it is undone',
      async run({ store, root }) {
        const watch = store.watch(`${root}/a`)
        await next(watch)
        await store
          .transaction((t) => t.write(`${root}/a`, '1').then(() => Promise.reject(new Error('no'))))
          .catch(() => {})
        await store.transaction((t) => t.write(`${root}/a/b`, '2'))
        assert.deepEqual(await next(watch), { path: `${root}/a/b`, initial: false })
        await watch.return()
      },
    },
  ],
}

function resolvers() {
  const made = {}
  made.promise = new Promise((resolve) => {
    made.resolve = resolve
  })
  return made
}

import assert from 'node:assert/strict'
import { changeOf, next, refused } from './support.mjs'

export default {
  name: 'watches',
  tests: [
    {
      name: 'tell once at the start, and then of each change of the node and below',
      async run({ store, root }) {
        const watch = store.watch(`${root}/a`)
        assert.deepEqual(await next(watch), { path: `${root}/a`, initial: true })
        const changes = [
          [() => store.write(`${root}/a`, '1'), `${root}/a`],
          [() => store.write(`${root}/a`, '1'), `${root}/a`],
          [() => store.write(`${root}/a/b/c`, '1'), `${root}/a/b/c`],
          [() => store.mkdir(`${root}/a/d`), `${root}/a/d`],
          [
            () => store.setPermissions(`${root}/a/d`, [{ domid: 0, access: 'read' }]),
            `${root}/a/d`,
            'domain 0',
          ],
          [() => store.remove(`${root}/a/b`), `${root}/a/b`],
          [() => store.remove(root), `${root}/a`],
        ]
        for (const [change, path] of changes) {
          const told = next(watch)
          await change()
          assert.deepEqual(await told, { path, initial: false })
        }
        await watch.return()
      },
      needs: 'domain 0',
    },
    {
      name: 'do not tell of a mkdir of what exists, a remove of what is absent, or a name that only begins alike',
      async run({ store, root }) {
        await store.mkdir(`${root}/a`)
        const watch = store.watch(`${root}/a`)
        await next(watch)
        await store.mkdir(`${root}/a`)
        await store.remove(`${root}/a/absent`)
        await store.write(`${root}/ab`, '')
        await store.write(`${root}/a/last`, '')
        assert.equal((await next(watch)).path, `${root}/a/last`)
        await watch.return()
      },
    },
    {
      name: 'of a relative path tell relative paths',
      async run({ store, relative, home }) {
        const watch = store.watch(relative)
        assert.deepEqual(await next(watch), { path: relative, initial: true })
        await store.write(`${home}/${relative}/x`, '')
        await changeOf(watch, `${relative}/x`)
        await watch.return()
        await store.remove(relative)
      },
    },
    {
      name: 'of the same path are told each by itself, also one that begins later, and one ends without the others',
      async run({ store, root, open }) {
        const path = `${root}/a`
        const first = store.watch(path)
        await next(first)
        const second = store.watch(path)
        const other = (await open()).watch(path)
        for (const watch of [second, other]) assert.deepEqual(await next(watch), { path, initial: true })
        const told = [first, second, other].map(next)
        await store.write(path, '1')
        for (const one of await Promise.all(told)) assert.deepEqual(one, { path, initial: false })
        await first.return()
        assert.deepEqual(await first.next(), { done: true, value: undefined })
        const later = [second, other].map(next)
        await store.write(path, '2')
        await Promise.all(later)
        await second.return()
        await other.return()
      },
    },
    {
      name: 'begin anew after they have ended, and right while they end',
      async run({ store, root }) {
        const path = `${root}/a`
        for (let round = 0; round < 20; round++) {
          const watch = store.watch(path)
          await next(watch)
          const ending = watch.return()
          const again = store.watch(path)
          assert.deepEqual(await next(again), { path, initial: true })
          if (round % 2) await ending
          await store.write(path, String(round))
          assert.deepEqual(await next(again), { path, initial: false })
          await again.return()
        }
      },
    },
    {
      name: 'make one mark of changes that nobody has looked at, and keep few',
      async run({ store, root }) {
        const watch = store.watch(root)
        await next(watch)
        for (let round = 0; round < 10; round++) await store.write(`${root}/same`, String(round))
        await store.write(`${root}/another`, '')
        assert.deepEqual(await next(watch), { path: `${root}/same`, initial: false })
        assert.deepEqual(await next(watch), { path: `${root}/another`, initial: false })
        // In ten directories: a guest's have room for some hundred names.
        const many = Array.from({ length: 300 }, (_, index) => `${root}/${index % 10}/many-${index}`)
        await Promise.all(many.map((path) => store.write(path, '')))
        // The mark of all of them is that of the watched node.
        await changeOf(watch, root)
        await store.write(`${root}/last`, '')
        await changeOf(watch, `${root}/last`)
        await watch.return()
      },
    },
    {
      name: 'a value read after a change is at least as new',
      async run({ store, root, open }) {
        const writer = await open()
        const path = `${root}/n`
        const last = 200
        const writing = (async () => {
          for (let n = 0; n <= last; n++) await writer.write(path, String(n))
        })()
        let seen = -1
        for await (const _ of store.watch(path)) {
          const n = Number((await store.tryRead(path)) ?? -1)
          assert.ok(n >= seen)
          seen = n
          if (n === last) break
        }
        await writing
      },
    },
    {
      name: 'end with the reason of their signal, at once, also while nothing comes',
      async run({ store, root }) {
        const stop = new AbortController()
        const reason = new Error('enough')
        const watch = store.watch(root, { signal: stop.signal })
        await next(watch)
        const waiting = [watch.next(), watch.next()]
        const settled = Promise.allSettled(waiting)
        stop.abort(reason)
        const [first, second] = await settled
        assert.equal(first.reason, reason)
        assert.deepEqual(second.value, { done: true, value: undefined })
        assert.throws(
          () => store.watch(root, { signal: stop.signal }),
          (error) => error === reason,
        )
      },
    },
    {
      name: 'end without an error when the store is closed, and are refused after that',
      async run({ root, open }) {
        const store = await open()
        const watch = store.watch(root)
        await next(watch)
        const waiting = watch.next()
        await store.close()
        assert.deepEqual(await waiting, { done: true, value: undefined })
        await refused(store.watch(root).next(), { code: 'ERR_GRANTS_CLOSED', operation: 'watch', path: root })
      },
    },
    {
      name: 'are left by break, and end then also at xenstored: more can come and go than a domain may have',
      async run({ store, root }) {
        for (let round = 0; round < 150; round++)
          for await (const _ of store.watch(`${root}/w${round}`)) break
      },
    },
    {
      name: 'waitFor resolves with the first value that is as wanted, be it there already or not',
      async run({ store, root, open }) {
        const path = `${root}/state`
        const writer = await open()
        assert.equal(await store.waitFor(path, (value) => value === undefined), undefined)
        const waiting = store.waitFor(path, (value) => value?.toString() === '4')
        for (const state of ['1', '2', '3', '4']) await writer.write(path, state)
        assert.equal((await waiting).toString(), '4')
        assert.equal((await store.waitFor(path, async (value) => value.length === 1)).toString(), '4')
        const gone = store.waitFor(path, (value) => value === undefined)
        await writer.remove(root)
        assert.equal(await gone, undefined)
        await writer.mkdir(root)
      },
    },
    {
      name: 'waitFor rejects with what its predicate throws, and with the reason of its signal',
      async run({ store, root }) {
        const thrown = new Error('bad state')
        await assert.rejects(
          store.waitFor(root, () => {
            throw thrown
          }),
          (error) => error === thrown,
        )
        const stop = new AbortController()
        const waiting = assert.rejects(
          store.waitFor(root, () => false, { signal: stop.signal }),
          { message: 'enough' },
        )
        stop.abort(new Error('enough'))
        await waiting
      },
    },
    {
      name: 'a thousand watchers of ten thousand changes all end with the last value',
      needs: 'domain 0',
      timeoutMs: 120_000,
      async run({ store, root, open, effort }) {
        const [watchers, changes] = [1000 * effort, 10_000 * effort]
        const writer = await open()
        const path = (index) => `${root}/n${index % watchers}`
        const lastOf = (index) => changes - watchers + index
        const watching = Array.from({ length: watchers }, async (_, index) => {
          const value = await store.waitFor(path(index), (value) => Number(value) === lastOf(index))
          return Number(value)
        })
        // All are registered before the first change, except those that would wait for nothing.
        await store.exists(root)
        for (let change = 0; change < changes; change += watchers) {
          const some = Array.from({ length: watchers }, (_, index) => change + index)
          await Promise.all(some.map((number) => writer.write(path(number), String(number))))
        }
        const seen = await Promise.all(watching)
        assert.ok(seen.every((value, index) => value === lastOf(index)))
      },
    },
    {
      name: 'a guest is told how many it may have, and may have more when some have ended',
      needs: 'domains',
      async run({ domain }) {
        const { guest } = await domain()
        const watches = Array.from({ length: 200 }, (_, index) => guest.watch(`data/w${index}`))
        const begun = await Promise.allSettled(watches.map((watch) => watch.next()))
        const errors = begun.filter(({ status }) => status === 'rejected').map(({ reason }) => reason)
        assert.ok(errors.length > 50, `${errors.length} were refused`)
        for (const error of errors) {
          assert.ok(['E2BIG', 'EQUOTA'].includes(error.code))
          assert.match(error.message, /128 by default/)
        }
        await Promise.all(watches.map((watch) => watch.return()))
        await next(guest.watch('data/another'))
      },
    },
    {
      name: 'waitFor waits also for the right to read: what another guest publishes is found whenever it is there',
      needs: 'domains',
      async run({ domain }) {
        const { domid, guest, home } = await domain()
        const peer = await domain()
        const permissions = [
          { domid, access: 'none' },
          { domid: peer.domid, access: 'read' },
        ]
        const found = (name) => peer.guest.waitFor(`${home}/data/${name}`, (value) => value !== undefined)
        const first = found('first')
        const second = found('second')
        // In two steps, with the value unreadable in between, and in one.
        await guest.write('data/first', '1')
        await guest.setPermissions('data/first', permissions)
        assert.equal((await first).toString(), '1')
        await guest.transaction(async (t) => {
          await t.write('data/second', '2')
          await t.setPermissions('data/second', permissions)
        })
        assert.equal((await second).toString(), '2')
        assert.equal((await found('second')).toString(), '2')
      },
    },
    {
      name: 'a guest is told of nothing it may not read, until it may',
      needs: 'domains',
      async run({ store, root, domain }) {
        const { domid, guest } = await domain()
        await store.write(`${root}/secret`, '1')
        for (const path of [root, `${root}/secret`])
          await store.setPermissions(path, [{ domid: 0, access: 'none' }])
        const watch = guest.watch(`${root}/secret`)
        assert.deepEqual(await next(watch), { path: `${root}/secret`, initial: true })
        const told = next(watch)
        await store.write(`${root}/secret`, '2')
        await store.setPermissions(`${root}/secret`, [
          { domid: 0, access: 'none' },
          { domid, access: 'read' },
        ])
        await told
        assert.equal(await guest.readText(`${root}/secret`), '2')
      },
    },
  ],
}

import assert from 'node:assert/strict'
import { next, refused } from './support.mjs'

export default {
  name: 'domains',
  tests: [
    {
      name: 'have a path, whether they exist or not, and numbers from 0 to 32751',
      async run({ store }) {
        assert.equal(await store.domainPath(7), '/local/domain/7')
        assert.equal(await store.domainPath(32751), '/local/domain/32751')
        for (const domid of [-1, 32752, 1.5])
          for (const call of ['domainPath', 'isIntroduced'])
            await refused(store[call](domid), { code: 'ERR_OUT_OF_RANGE' })
        await refused(store.domainPath('7'), { code: 'ERR_INVALID_ARG_TYPE' })
      },
    },
    {
      name: 'this one knows its number',
      async run({ store, home }) {
        assert.equal(await store.domainPath(await store.domid()), home)
      },
    },
    {
      name: 'are introduced from creation to destruction, and their nodes go with them',
      needs: 'domains',
      async run({ store, root, domain }) {
        const { domid, guest, destroy } = await domain()
        assert.deepEqual([await store.isIntroduced(0), await store.isIntroduced(domid)], [true, true])
        await store.mkdir(`${root}/theirs`)
        await store.setPermissions(`${root}/theirs`, [{ domid, access: 'both' }])
        await guest.write(`${root}/theirs/x`, '')
        const gone = store.waitFor(`${root}/theirs/x`, (value) => value === undefined)
        await destroy()
        assert.equal(await store.isIntroduced(domid), false)
        await gone
      },
    },
    {
      name: 'are not seen to go by another guest, but a directory of theirs that it may read is, with what is in it',
      needs: 'domains',
      async run({ domain }) {
        const [one, other] = [await domain(), await domain()]
        const directory = `${one.home}/data/x/open`
        const node = `${directory}/n`
        await one.guest.write(node, 'whose')
        for (const path of [directory, node])
          await one.guest.setPermissions(path, [
            { domid: one.domid, access: 'none' },
            { domid: other.domid, access: 'read' },
          ])
        const watch = other.guest.watch(directory)
        await next(watch)
        assert.equal(await other.guest.readText(node), 'whose')
        const told = next(watch)
        await one.destroy()
        await told
        await assert.rejects(other.guest.read(node), ({ code }) => code === 'EACCES' || code === 'ENOENT')
        await watch.return()
      },
    },
    {
      name: 'come and go before the eyes of those who watch them',
      needs: 'domains',
      async run({ store, domain }) {
        const before = await domain()
        const watch = store.watchDomains()
        const { added, removed } = await next(watch)
        assert.ok(added.includes(before.domid))
        assert.deepEqual(removed, [])
        const created = next(watch)
        const { domid, destroy } = await domain()
        assert.deepEqual(await created, { added: [domid], removed: [] })
        const destroyed = next(watch)
        await destroy()
        assert.deepEqual(await destroyed, { added: [], removed: [domid] })
        // Two that are asked for at once are two changes.
        const both = [next(watch), next(watch)]
        for (const told of both) {
          const { domid: another } = await domain()
          assert.deepEqual(await told, { added: [another], removed: [] })
        }
        const nothing = watch.next()
        await watch.return()
        assert.deepEqual(await nothing, { done: true, value: undefined })
      },
    },
    {
      name: 'are not shown to a guest, which is told so',
      needs: 'domains',
      async run({ domain }) {
        const { guest } = await domain()
        await refused(guest.watchDomains().next(), {
          code: 'EACCES',
          operation: 'list',
          path: '/local/domain',
        })
      },
    },
  ],
}

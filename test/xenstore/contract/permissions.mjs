import assert from 'node:assert/strict'
import { next, refused } from './support.mjs'

export default {
  name: 'permissions',
  tests: [
    {
      name: 'come back as they were set, and new nodes copy their parent',
      needs: 'domain 0',
      async run({ store, root }) {
        const permissions = [
          { domid: 0, access: 'none' },
          { domid: 6, access: 'read' },
          { domid: 32751, access: 'write' },
          { domid: 7, access: 'both' },
        ]
        await store.mkdir(`${root}/a`)
        await store.setPermissions(`${root}/a`, permissions)
        assert.deepEqual(await store.permissions(`${root}/a`), permissions)
        await store.write(`${root}/a/b`, '')
        assert.deepEqual(await store.permissions(`${root}/a/b`), permissions)
      },
    },
    {
      name: 'of what is absent are ENOENT, and so is (C) an owner that is no domain',
      needs: 'domain 0',
      async run({ store, root, rules }) {
        await refused(store.setPermissions(`${root}/absent`, [{ domid: 0, access: 'read' }]), {
          code: 'ENOENT',
        })
        await store.mkdir(`${root}/a`)
        if (rules === 'ox') return
        const operation = 'setPermissions'
        await refused(store.setPermissions(`${root}/a`, [{ domid: 4711, access: 'read' }]), {
          code: 'ENOENT',
          operation,
        })
      },
    },
    {
      name: 'are checked before they are sent: xenstored takes r4294967296 for domain 0',
      async run({ store, root }) {
        const owner = { domid: 0, access: 'read' }
        for (const domid of [-1, 32752, 2 ** 32, 1.5, Number.NaN])
          await refused(store.setPermissions(root, [owner, { domid, access: 'read' }]), {
            code: 'ERR_OUT_OF_RANGE',
          })
        for (const access of ['r', 'READ', '', undefined, 'toString'])
          await refused(store.setPermissions(root, [{ domid: 0, access }]), { code: 'ERR_INVALID_ARG_VALUE' })
        await refused(store.setPermissions(root, []), { code: 'ERR_INVALID_ARG_VALUE' })
        for (const list of [undefined, null, 'r0', [null], [7]])
          await refused(store.setPermissions(root, list), { code: 'ERR_INVALID_ARG_TYPE' })
      },
    },
    {
      name: 'a guest reads what it may and owns what it makes; EACCES and ENOENT are kept apart',
      needs: 'domains',
      async run({ store, root, domain }) {
        const { domid, guest, home } = await domain()
        await store.write(`${root}/secret`, '1')
        await store.setPermissions(`${root}/secret`, [{ domid: 0, access: 'none' }])
        await store.setPermissions(root, [{ domid: 0, access: 'none' }])
        await refused(guest.read(`${root}/secret`), {
          code: 'EACCES',
          operation: 'read',
          path: `${root}/secret`,
        })
        await refused(guest.read(`${root}/absent`), { code: 'EACCES' })
        await refused(guest.tryRead(`${root}/absent`), { code: 'EACCES' })
        await refused(guest.exists(`${root}/absent`), { code: 'EACCES' })
        await refused(guest.write(`${root}/mine`, ''), { code: 'EACCES' })
        await refused(guest.read(`${home}/absent`), { code: 'ENOENT' })
        assert.equal(await guest.tryRead('absent'), undefined)
        await guest.write('data/x', '1')
        assert.deepEqual(await guest.permissions('data/x'), [{ domid, access: 'none' }])
        assert.equal(await store.readText(`${home}/data/x`), '1')
        assert.equal(await guest.domid(), domid)
        await refused(guest.isIntroduced(0), { code: 'EACCES', operation: 'isIntroduced' })
      },
    },
    {
      name: 'what a guest publishes another reads once it may',
      needs: 'domains',
      async run({ domain }) {
        const { domid, guest, home } = await domain()
        const peer = await domain()
        await guest.write('data/offer', '{}')
        await refused(peer.guest.read(`${home}/data/offer`), { code: 'EACCES' })
        await guest.setPermissions('data/offer', [
          { domid, access: 'none' },
          { domid: peer.domid, access: 'read' },
        ])
        assert.equal(await peer.guest.readText(`${home}/data/offer`), '{}')
        await refused(peer.guest.write(`${home}/data/offer`, ''), { code: 'EACCES' })
      },
    },
    {
      name: 'the limits of a guest are told with what to do',
      needs: 'domains',
      async run({ domain }) {
        const { domid, guest } = await domain()
        await guest.write('data/x', '')
        const give = [{ domid: 0, access: 'none' }]
        assert.match(
          (await refused(guest.setPermissions('data/x', give), { code: 'EPERM' })).message,
          /only domain 0/,
        )
        const many = Array.from({ length: 6 }, () => ({ domid, access: 'read' }))
        await guest.setPermissions('data/x', many.slice(1))
        const tooMany = await refused(guest.setPermissions('data/x', many), { code: 'ENOSPC' })
        assert.match(tooMany.message, /at most 5/)
        await guest.write('data/y', Buffer.alloc(1900))
        const tooLarge = await refused(guest.write('data/y', Buffer.alloc(2100)), { code: 'ENOSPC' })
        assert.match(tooLarge.message, /2048 bytes/)
        assert.equal((await guest.read('data/y')).length, 1900)
      },
    },
    {
      name: 'those of @names are refused to a guest here: the request ends xenstored',
      needs: 'domains',
      async run({ store, domain }) {
        const { domid, guest } = await domain()
        const path = '@introduceDomain'
        const mine = [{ domid, access: 'read' }]
        await refused(guest.setPermissions(path, mine), { code: 'EACCES', path, operation: 'setPermissions' })
        const watch = guest.watch(path)
        await next(watch)
        await domain()
        await store.setPermissions(path, [{ domid: 0, access: 'none' }, ...mine])
        const told = next(watch)
        await domain()
        assert.deepEqual(await told, { path, initial: false })
        await store.setPermissions(path, [{ domid: 0, access: 'none' }])
      },
    },
  ],
}

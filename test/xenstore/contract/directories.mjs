import assert from 'node:assert/strict'
import { refused } from './support.mjs'

const names = (count) => Array.from({ length: count }, (_, index) => `a-child-with-a-long-name-${index}`)

async function fill(store, path, children) {
  await Promise.all(children.map((name) => store.mkdir(`${path}/${name}`)))
}

export default {
  name: 'long directories',
  needs: 'domain 0',
  tests: [
    {
      name: 'the children come whole when they take many messages',
      async run({ store, root, effort }) {
        const children = names(1500 * effort)
        await fill(store, root, children)
        assert.deepEqual((await store.list(root)).sort(), children.sort())
        await store.transaction(async (t) => {
          assert.equal((await t.list(root)).length, children.length)
        })
      },
    },
    {
      name: 'lists at every length around that of one message are exact',
      async run({ store, root }) {
        // 13 bytes each, with the NUL: 315 make 4095 bytes, 316 need parts.
        const children = Array.from({ length: 320 }, (_, index) => `child-${String(index).padStart(6, '0')}`)
        for (const [index, name] of children.entries()) {
          await store.mkdir(`${root}/${name}`)
          if (index >= 310) assert.deepEqual((await store.list(root)).sort(), children.slice(0, index + 1))
        }
        for (const bytes of [4096, 4097]) {
          const path = `${root}/of-${bytes}`
          const lengths = [1000, 1001, 1002, bytes - 3007]
          for (const length of lengths) await store.mkdir(`${path}/${'x'.repeat(length)}`)
          const found = await store.list(path)
          assert.equal(`${found.join('\0')}\0`.length, bytes)
          assert.deepEqual(found.map((name) => name.length).sort(), lengths.sort())
        }
      },
    },
    {
      name: 'a list read while the directory changes has what was there all the time, and nothing twice',
      async run({ store, root, open, effort }) {
        const children = names(400)
        await fill(store, root, children)
        const other = await open()
        let changing = true
        const changer = (async () => {
          for (let round = 0; changing; round++) {
            await other.mkdir(`${root}/come-and-go-${round % 3}`)
            await other.remove(`${root}/come-and-go-${round % 3}`)
          }
        })()
        try {
          for (let round = 0; round < 20 * effort; round++) {
            const found = await store.list(root).catch((error) => {
              // Changed each time it was tried.
              assert.equal(error.code, 'EAGAIN')
              return children
            })
            assert.equal(new Set(found).size, found.length)
            for (const name of children) assert.ok(found.includes(name))
          }
        } finally {
          changing = false
          await changer
        }
      },
    },
    {
      name: 'a list is aborted between its parts',
      needs: 'parts of directories',
      async run({ store, root }) {
        await fill(store, root, names(400))
        const stop = new AbortController()
        const listing = refused(store.list(root, { signal: stop.signal }), { message: 'enough' })
        await store.read(root)
        stop.abort(new Error('enough'))
        await listing
      },
    },
  ],
}

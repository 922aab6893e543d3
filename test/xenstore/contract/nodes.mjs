import assert from 'node:assert/strict'
import { collect, refused } from './support.mjs'

const everyByte = Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte))

export default {
  name: 'nodes',
  tests: [
    {
      name: 'a value is any bytes, also none, and comes back as it was written',
      async run({ store, root }) {
        for (const value of [everyByte, Buffer.alloc(0), Buffer.from([0, 0]), Buffer.from('grüße')]) {
          await store.write(`${root}/a`, value)
          assert.deepEqual(await store.read(`${root}/a`), value)
        }
        await store.write(`${root}/a`, 'grüße')
        assert.equal(await store.readText(`${root}/a`), 'grüße')
        await store.write(`${root}/a`, new Uint8Array(new SharedArrayBuffer(3)).fill(7))
        assert.deepEqual([...(await store.read(`${root}/a`))], [7, 7, 7])
      },
    },
    {
      name: 'a value of the largest size goes through, and one byte more is refused here, with the limit',
      needs: 'domain 0',
      async run({ store, root, maxPayload, rules }) {
        const path = `${root}/large`
        const room = maxPayload - path.length - 1
        // oxenstored has a limit of its own, for everybody.
        const most = rules === 'ox' ? 2048 : room
        await store.write(path, Buffer.alloc(most, 'x'))
        assert.equal((await store.read(path)).length, most)
        const error = await refused(store.write(path, Buffer.alloc(room + 1)), { code: 'ERR_OUT_OF_RANGE' })
        assert.match(error.message, new RegExp(`${maxPayload + 1} bytes .* at most ${maxPayload}`))
        assert.equal((await store.read(path)).length, most)
      },
    },
    {
      name: 'write and mkdir make missing parents; mkdir leaves what is there',
      async run({ store, root }) {
        await store.write(`${root}/a/b/c`, '1')
        await store.mkdir(`${root}/a/d/e`)
        await store.mkdir(`${root}/a/b/c`)
        assert.equal(await store.readText(`${root}/a/b/c`), '1')
        assert.equal(await store.readText(`${root}/a/b`), '')
        assert.deepEqual((await store.list(`${root}/a`)).sort(), ['b', 'd'])
        assert.deepEqual(await store.list(`${root}/a/d/e`), [])
      },
    },
    {
      name: 'remove takes everything below; what is absent may be removed from a parent that exists',
      async run({ store, root }) {
        await store.write(`${root}/a/b/c`, '1')
        await store.remove(`${root}/a`)
        assert.equal(await store.exists(`${root}/a/b/c`), false)
        assert.equal(await store.exists(root), true)
        await store.remove(`${root}/a`)
        await refused(store.remove(`${root}/a/b`), {
          code: 'ENOENT',
          operation: 'remove',
          path: `${root}/a/b`,
        })
        await refused(store.remove('/'), { code: 'ERR_INVALID_ARG_VALUE' })
      },
    },
    {
      name: 'what is absent is undefined for tryRead, and ENOENT for the others, with what was asked',
      async run({ store, root }) {
        const path = `${root}/absent`
        assert.equal(await store.tryRead(path), undefined)
        for (const operation of ['read', 'readText', 'readInt', 'list', 'permissions']) {
          const error = await refused(store[operation](path), {
            name: 'XenStoreError',
            code: 'ENOENT',
            operation,
            path,
            transaction: undefined,
            inDoubt: false,
          })
          assert.match(error.message, /no such node \(ENOENT\)/)
        }
      },
    },
    {
      name: 'readInt takes plain decimal integers and nothing that only looks like one',
      async run({ store, root }) {
        const path = `${root}/n`
        for (const [text, number] of [
          ['0', 0],
          ['42', 42],
          ['-7', -7],
          ['9007199254740991', 2 ** 53 - 1],
        ]) {
          await store.write(path, text)
          assert.equal(await store.readInt(path), number)
        }
        const not = [
          '',
          ' 1',
          '1 ',
          '1\n',
          '1\0',
          '+1',
          '01',
          '-0',
          '0x1',
          '1e3',
          '1.0',
          '9007199254740992',
          '١',
          'NaN',
        ]
        for (const text of not) {
          await store.write(path, text)
          await refused(store.readInt(path), { code: 'ERR_GRANTS_PROTOCOL', operation: 'readInt', path })
        }
      },
    },
    {
      name: 'walk gives each node before what is below it',
      async run({ store, root }) {
        for (const path of ['b/c', 'b/d/e', 'a']) await store.write(`${root}/${path}`, '')
        const walked = await collect(store.walk(root))
        const expected = ['', '/a', '/b', '/b/c', '/b/d', '/b/d/e'].map((path) => root + path)
        assert.deepEqual([...walked].sort(), expected)
        for (const path of walked.slice(1))
          assert.ok(walked.indexOf(path.slice(0, path.lastIndexOf('/'))) < walked.indexOf(path))
        await refused(store.walk(`${root}/absent`).next(), { code: 'ENOENT' })
      },
    },
    {
      name: 'a thousand requests at once each get their own answer',
      async run({ store, root, effort }) {
        const names = Array.from({ length: 100 }, (_, index) => `${root}/${index}`)
        await Promise.all(names.map((path) => store.write(path, `value of ${path}`)))
        // Elsewhere fewer, but more than may be under way at a time.
        const reads = Array.from(
          { length: Math.max(200, 1000 * effort) },
          (_, index) => names[index % names.length],
        )
        const values = await Promise.all(reads.map((path) => store.readText(path)))
        assert.deepEqual(
          values,
          reads.map((path) => `value of ${path}`),
        )
      },
    },
    {
      name: 'relative paths are below the directory of this domain',
      async run({ store, relative, home }) {
        await store.write(`${relative}/x`, '1')
        assert.equal(await store.readText(`${home}/${relative}/x`), '1')
        assert.ok((await store.list(relative)).includes('x'))
        await store.remove(relative)
      },
    },
    {
      name: 'what is no path never reaches xenstored',
      async run({ store }) {
        const bad = [
          '',
          'a/',
          '/a/',
          '//',
          '/a//b',
          '/a b',
          '/a.b',
          '/a:b',
          '/a+b',
          '/ä',
          '/a\0',
          '/a\n',
          `/${'x'.repeat(2049)}`,
        ]
        for (const path of bad)
          for (const call of ['read', 'write', 'list', 'remove', 'mkdir', 'exists', 'permissions'])
            await refused(store[call](path, ''), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
        for (const path of [undefined, 7, null, {}, Buffer.from('/a')])
          await refused(store.read(path), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
        await refused(store.read('@releaseDomain'), { code: 'ERR_INVALID_ARG_VALUE' })
        await refused(store.write('/a', 7), { code: 'ERR_INVALID_ARG_TYPE' })
        await refused(store.read('/a', { sginal: null }), { code: 'ERR_INVALID_ARG_VALUE' })
      },
    },
  ],
}

import assert from 'node:assert/strict'

/**
 * What a transaction does, what another client does before its end, and how it then ends: with C's xenstored and with
 * oxenstored.
 */
const cases = [
  {
    name: 'a node it has read was changed, and it has written',
    inside: async (t, root) => {
      await t.read(`${root}/a`)
      await t.write(`${root}/b`, 'ours')
    },
    outside: (store, root) => store.write(`${root}/a`, 'theirs'),
    C: 'EAGAIN',
    ox: 'EAGAIN',
  },
  {
    name: 'a node it has read was changed, and it has written nothing',
    inside: (t, root) => t.read(`${root}/a`),
    outside: (store, root) => store.write(`${root}/a`, 'theirs'),
    C: 'EAGAIN',
    ox: 'OK',
  },
  {
    name: 'a node it has written without reading was changed',
    inside: (t, root) => t.write(`${root}/a`, 'ours'),
    outside: (store, root) => store.write(`${root}/a`, 'theirs'),
    C: 'EAGAIN',
    ox: 'OK',
  },
  {
    name: 'a node it has found absent and made was made by another',
    inside: async (t, root) => {
      assert.equal(await t.tryRead(`${root}/new`), undefined)
      await t.write(`${root}/new`, 'ours')
    },
    outside: (store, root) => store.write(`${root}/new`, 'theirs'),
    C: 'EAGAIN',
    ox: 'EAGAIN',
  },
  {
    name: 'a node it has found absent was made, and it has written another',
    inside: async (t, root) => {
      assert.equal(await t.tryRead(`${root}/new`), undefined)
      await t.write(`${root}/b`, 'ours')
    },
    outside: (store, root) => store.write(`${root}/new`, ''),
    C: 'EAGAIN',
    ox: 'OK',
  },
  {
    name: 'a child was added to a directory it has listed',
    inside: async (t, root) => {
      await t.list(root)
      await t.write(`${root}/b`, 'ours')
    },
    outside: (store, root) => store.write(`${root}/new`, ''),
    C: 'EAGAIN',
    ox: 'EAGAIN',
  },
  {
    name: 'it and another client have each made a child of the same node',
    inside: (t, root) => t.write(`${root}/ours`, ''),
    outside: (store, root) => store.write(`${root}/theirs`, ''),
    C: 'EAGAIN',
    ox: 'OK',
  },
  {
    name: 'the value of a child of a directory it has listed was changed',
    inside: async (t, root) => {
      await t.list(root)
      await t.write(`${root}/b`, 'ours')
    },
    outside: (store, root) => store.write(`${root}/a`, 'theirs'),
    C: 'OK',
    ox: 'OK',
  },
  {
    name: 'something else was changed',
    inside: async (t, root) => {
      await t.read(`${root}/a`)
      await t.write(`${root}/a`, 'ours')
    },
    outside: (store, root) => store.write(`${root}/b`, 'theirs'),
    C: 'OK',
    ox: 'OK',
  },
]

export default {
  name: 'conflicts of a transaction',
  tests: cases.map(({ name, inside, outside, ...ends }) => ({
    name: `${name}: ${Object.entries(ends)
      .map(([rules, end]) => `${end} (${rules})`)
      .join(', ')}`,
    async run({ store, root, open, rules }) {
      const other = await open()
      await store.write(`${root}/a`, 'before')
      await store.write(`${root}/b`, 'before')
      const attempt = store.transaction(
        async (t) => {
          await inside(t, root)
          await outside(other, root)
        },
        { retries: 0 },
      )
      const end = await attempt.then(
        () => 'OK',
        (error) => error.code,
      )
      assert.equal(end, ends[rules])
    },
  })),
}

import assert from 'node:assert/strict'
import { seedOf } from '../../agreement/seed.mjs'
import { random } from '../../memory/fixtures/random.mjs'
import { collect } from './support.mjs'

const CALLS = 300

const kinds = [
  (store, path, options) => store.read(path, options),
  (store, path, options) => store.write(path, 'value', options),
  (store, path, options) => store.list(path, options),
  (store, path, options) => store.mkdir(path, options),
  (store, path, options) => store.remove(path, options),
  (store, path, options) => store.exists(path, options),
  (store, path, options) => store.permissions(path, options),
  (store, path, options) => collect(store.walk(path, options)),
  (store, path, options) => store.waitFor(path, (value) => value !== undefined, options),
  (store, path, options) =>
    store.transaction(
      async (t) => {
        const value = await t.tryRead(path)
        await t.write(path, String(value))
      },
      { retries: 3, ...options },
    ),
  (store, path, options) =>
    store.transaction(async (t) => {
      await t.write(path, '')
      throw new Error('changed my mind')
    }, options),
  async (store, path, options) => {
    let left = path.length % 4
    for await (const _ of store.watch(path, options)) if (left-- === 0) break
  },
]

/** Calls of all kinds at once, of which some are aborted and the rest are cut off by the end of the store. */
async function disorder(store, root, numbers) {
  const { below, pick } = numbers
  const paths = ['a', 'b', 'a/x', 'b/y/z'].map((name) => `${root}/${name}`)
  const ends = []
  const stops = []
  for (let call = 0; call < CALLS; call++) {
    const stop = below(2) === 0 ? new AbortController() : undefined
    if (stop) stops.push(stop)
    const called = pick(kinds)(store, pick(paths), stop && { signal: stop.signal })
    ends.push(called.catch((error) => assert.ok(error instanceof Error)))
    if (below(10) === 0) await new Promise((resolve) => setImmediate(resolve))
    if (below(5) === 0 && stops.length > 0) stops.splice(below(stops.length), 1)[0].abort()
  }
  for (const stop of stops) stop.abort()
  // It works as ever, and has room for transactions.
  await store.mkdir(`${root}/after`)
  await store.transaction((t) => t.write(`${root}/after/all`, ''), { retries: 1000 })
  await store.remove(root)
  await store.close()
  await Promise.all(ends)
}

export default {
  name: 'disorder',
  tests: ['domain 0', 'domains'].map((needs) => ({
    name: `whatever is called, aborted and closed at once, every call ends and the store works on (as ${needs === 'domains' ? 'a guest' : needs})`,
    needs,
    timeoutMs: 120_000,
    async run({ root, open, domain, effort }) {
      const seed = seedOf(process.env)
      try {
        const numbers = random(seed)
        for (let round = 0; round < 5 * effort; round++) {
          const options = {
            window: numbers.pick([1, 3, 64]),
            maxTransactions: numbers.pick([1, 2, 8]),
          }
          if (needs === 'domain 0') await disorder(await open(options), `${root}/d`, numbers)
          else await disorder((await domain(options)).guest, 'data/d', numbers)
        }
      } catch (error) {
        error.message = `XEN_GRANTS_SEED=${seed}: ${error.message}`
        throw error
      }
    },
  })),
}

import { XenStore } from '../../../dist/src/index.js'
import { runIn, storeContract } from '../../xenstore/contract/all.mjs'
import { startToolstack } from './domains.mjs'

/** Under emulation a request takes up to thirty times as long. */
const EFFORT = 0.2
let next = 1

/** Stores that no test uses, by path: a device takes a thread, which takes seconds to start here. */
const idle = new Map()

const isOpen = (store) =>
  Promise.race([store.closed.then(() => false), new Promise((resolve) => setImmediate(resolve, true))])

/**
 * A place of a test's own in dom0's xenstored.
 * @param {string} path its socket, or the device
 */
export async function realStore(t, path, maxPayload) {
  await startToolstack()
  const mine = []
  const open = async (options) => {
    const store =
      (options === undefined && idle.get(path)?.pop()) || (await XenStore.open({ path, ...options }))
    mine.push({ store, usual: options === undefined })
    return store
  }
  t.defer(async () => {
    for (const { store, usual } of mine) {
      if (usual && (await isOpen(store))) idle.set(path, [...(idle.get(path) ?? []), store])
      else await store.close()
    }
  })
  const store = await open()
  const relative = `test-${process.pid}-${next++}`
  const root = `/${relative}`
  await store.mkdir(root)
  return {
    rules: 'C',
    store,
    open,
    root,
    home: '/local/domain/0',
    relative,
    maxPayload,
    effort: EFFORT,
    async end() {
      const last = await open()
      await last.remove(root)
    },
  }
}

const ways = {
  socket: { path: '/run/xenstored/socket', maxPayload: 4096 },
  device: { path: '/dev/xen/xenbus', maxPayload: 4080 },
}

/**
 * What test/xenstore/contract.test.ts runs against a xenstored without Xen, in dom0.
 * @param {'socket' | 'device'} way
 * @param {string} [only] the name of one suite of the contract
 */
export function storeTests(way, only) {
  const { path, maxPayload } = ways[way]
  return storeContract(['domain 0', 'parts of directories'])
    .filter(({ name }) => only === undefined || name === only)
    .flatMap((suite) =>
      suite.tests.map((test) => ({
        ...test,
        name: `${way}: ${suite.name}: ${test.name}`,
        run: async (t) => runIn(await realStore(t, path, maxPayload), test),
      })),
    )
}

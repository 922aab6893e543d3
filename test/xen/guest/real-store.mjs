import { XenStore } from '../../../dist/src/index.js'
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

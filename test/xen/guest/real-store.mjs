import { XenStore } from '../../../dist/src/index.js'
import { startToolstack } from './domains.mjs'

/** Under emulation a request takes up to thirty times as long. */
const EFFORT = 0.2
let next = 1

/**
 * A place of a test's own in dom0's xenstored.
 * @param {string} path its socket, or the device
 */
export async function realStore(t, path, maxPayload) {
  await startToolstack()
  const opened = []
  const open = async (options) => {
    const store = await XenStore.open({ path, ...options })
    opened.push(store)
    return store
  }
  t.defer(() => Promise.all(opened.map((store) => store.close())))
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

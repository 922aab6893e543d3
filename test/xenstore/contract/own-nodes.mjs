import { effortOf } from './effort.mjs'

let next = 1

/** Of a domain, or of what else must not have been there before. */
export const nextNumber = () => next++

/**
 * What a test has of its own in domain 0's store, and how it opens more stores.
 * @param {(domain: unknown, options?: object) => Promise<object>} connect opens the store of a domain; what comes from
 *   `openAt` and `open` is closed by `closeAll`
 * @param {unknown} own domain 0, for `connect`
 * @param {{ rules: 'C' | 'ox', device: boolean, another: boolean }} options `another`: see effortOf
 */
export async function ownNodes(connect, own, { rules, device, another }) {
  const opened = []
  const openAt = async (domain, options) => {
    const store = await connect(domain, options)
    opened.push(store)
    return store
  }
  const open = (options) => openAt(own, options)
  const relative = `test-${nextNumber()}`
  const root = `/${relative}`
  const store = await open()
  await store.mkdir(root)
  const maxPayload = device ? 4080 : 4096
  const nodes = {
    rules,
    store,
    open,
    root,
    home: '/local/domain/0',
    relative,
    effort: effortOf(another),
    maxPayload,
  }
  return { nodes, openAt, closeAll: () => Promise.all(opened.map((one) => one.close())) }
}

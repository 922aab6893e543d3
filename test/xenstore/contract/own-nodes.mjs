import { effortOf } from './effort.mjs'

let next = 1

/** Of a domain, or of what else must not have been there before. */
export const nextNumber = () => next++

const isOpen = (store) =>
  Promise.race([store.closed.then(() => false), new Promise((resolve) => setImmediate(resolve, true))])

/** Of domain 0, in a directory of the root; a guest may make none but below its own `data`. */
const placeOf = (domid) => (domid === 0 ? '' : `/local/domain/${domid}/data`)

/**
 * What a test has of its own in a domain's store, and how it opens more stores.
 * @param {(domain: unknown, options?: object) => Promise<object>} connect opens the store of a domain; what comes from
 *   `openAt` and `open` is closed by `closeAll`
 * @param {unknown} own that domain, for `connect`
 * @param {{ rules: 'C' | 'ox', device: boolean, another: boolean, idle: object[], domid?: number }} options `another`: see effortOf;
 *   `idle`: open stores of the domain that no test uses. One through a device takes a thread, which takes longer to start than
 *   most tests; `domid`: of the domain, 0 unless given
 */
export async function ownNodes(connect, own, { rules, device, another, idle, domid = 0 }) {
  const opened = []
  const usual = []
  const openAt = async (domain, options) => {
    const store = await connect(domain, options)
    opened.push(store)
    return store
  }
  const open = async (options) => {
    if (options !== undefined) return openAt(own, options)
    const store = idle.pop() ?? (await connect(own))
    usual.push(store)
    return store
  }
  const name = `test-${nextNumber()}`
  const root = `${placeOf(domid)}/${name}`
  const store = await open()
  await store.mkdir(root)
  const maxPayload = device ? 4080 : 4096
  const nodes = {
    rules,
    store,
    open,
    root,
    home: `/local/domain/${domid}`,
    relative: domid === 0 ? name : `data/${name}`,
    effort: effortOf(another),
    maxPayload,
  }
  const closeAll = async () => {
    await Promise.all(opened.map((one) => one.close()))
    for (const store of usual) if (await isOpen(store)) idle.push(store)
  }
  return { nodes, openAt, closeAll }
}

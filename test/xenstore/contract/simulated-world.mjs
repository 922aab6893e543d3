// The contract's world in the xenstored of a simulated Xen.
import { SimulatedXen } from '../../../dist/src/simulated/index.js'
import { XenStore } from '../../../dist/src/xenstore.js'
import { effortOf } from './effort.mjs'

let next = 1

/** @param {{ rules: 'C' | 'ox', device?: boolean }} options whose rules it follows, and how domains are connected */
export async function simulatedStore({ rules, device = false }) {
  const pathOf = (domain) => (device ? domain.xenbus : domain)
  const xen = await SimulatedXen.create({ xenstored: rules === 'C' ? 'c' : 'ocaml' })
  // Domains exist until they are destroyed: here is one that does not.
  await xen.domain(4711).destroy()
  return {
    async world() {
      const opened = []
      const domains = []
      const openAt = async (path, options) => {
        const store = await XenStore.open({ path, ...options })
        opened.push(store)
        return store
      }
      const open = (options) => openAt(pathOf(xen.domain(0)), options)
      const number = next++
      const store = await open()
      const root = `/test-${number}`
      await store.mkdir(root)
      return {
        rules,
        store,
        open,
        root,
        home: '/local/domain/0',
        relative: `test-${number}`,
        effort: effortOf(true),
        maxPayload: device ? 4080 : 4096,
        async domain(options) {
          const domid = next++
          const domain = xen.domain(domid)
          domains.push(domain)
          const guest = await openAt(pathOf(domain), options)
          return { domid, home: `/local/domain/${domid}`, guest, destroy: () => domain.destroy() }
        },
        async end() {
          await store.remove(root)
          await Promise.all(opened.map((one) => one.close()))
          for (const domain of domains) await domain.destroy()
          while ((await xen.counters()).storeConnections > 0)
            await new Promise((resolve) => setImmediate(resolve))
        },
      }
    },
    close: () => xen.close(),
  }
}

// The contract's world in the xenstored of a simulated Xen.
import { SimulatedXen } from '../../../dist/src/simulated/index.js'
import { XenStore } from '../../../dist/src/xenstore.js'
import { nextNumber, ownNodes } from './own-nodes.mjs'

/**
 * @param {{ rules: 'C' | 'ox', device?: boolean, domid?: number }} options whose rules it follows, how domains are connected, and
 *   whose store it is
 */
export async function simulatedStore({ rules, device = false, domid: own = 0 }) {
  const pathOf = (domain) => (device ? domain.xenbus : domain)
  const xen = await SimulatedXen.create({ xenstored: rules === 'C' ? 'c' : 'ocaml' })
  // Domains exist until they are destroyed: here is one that does not.
  await xen.domain(4711).destroy()
  const idle = []
  return {
    async world() {
      const domains = []
      const connect = (domain, options) => XenStore.open({ path: pathOf(domain), ...options })
      const options = { rules, device, another: true, idle, domid: own }
      const { nodes, openAt, closeAll } = await ownNodes(connect, xen.domain(own), options)
      return {
        ...nodes,
        async domain(options) {
          const domid = nextNumber()
          const domain = xen.domain(domid)
          domains.push(domain)
          const guest = await openAt(domain, options)
          return { domid, home: `/local/domain/${domid}`, guest, destroy: () => domain.destroy() }
        },
        async end() {
          await nodes.store.remove(nodes.root)
          await closeAll()
          for (const domain of domains) await domain.destroy()
          while ((await xen.counters()).storeConnections > idle.length)
            await new Promise((resolve) => setImmediate(resolve))
        },
      }
    },
    async close() {
      await Promise.all(idle.map((store) => store.close()))
      await xen.close()
    },
  }
}

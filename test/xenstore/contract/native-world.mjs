// The contract's world in a real xenstored that runs natively.
import { storeDescriptor } from '../../../dist/src/drivers/xenbus/store-device.js'
import { XenStore } from '../../../dist/src/xenstore.js'
import { startXenstored } from '../../xenstored/daemon.mjs'
import { nextNumber, ownNodes } from './own-nodes.mjs'

const relay = new URL('../fixtures/relay-device.mjs', import.meta.url).href

/** A device whose other end is the socket. */
function deviceAt(socket) {
  return { [storeDescriptor]: { module: relay, options: { socket }, path: socket, simulated: true } }
}

/**
 * One daemon for all tests of a file. Each test has its own nodes and domains.
 * @param {{ device?: boolean, rules?: 'C' | 'ox' }} [options] whether stores go through a worker and a device that behaves as
 *   the kernel's does; whose xenstored it is
 */
export async function nativeStore({ device = false, rules = 'C' } = {}) {
  const daemon = await startXenstored(rules)
  const idle = []
  return {
    async world() {
      const domains = []
      const connect = (path, options) => XenStore.open({ path: device ? deviceAt(path) : path, ...options })
      const another = device || rules !== 'C'
      const own = { rules, device, another, idle }
      const { nodes, openAt, closeAll } = await ownNodes(connect, daemon.socket, own)
      return {
        ...nodes,
        async domain(options) {
          const domid = nextNumber()
          await daemon.createDomain(domid)
          domains.push(domid)
          const guest = await openAt(daemon.ring(domid), options)
          const destroy = () => daemon.destroyDomain(domid)
          return { domid, home: `/local/domain/${domid}`, guest, destroy }
        },
        async end() {
          if (daemon.crashed) throw new Error(`xenstored was ended by ${daemon.crashed}`)
          await closeAll()
          for (const domid of domains) await daemon.destroyDomain(domid)
          const last = await XenStore.open({ path: daemon.socket })
          await last.remove(nodes.root)
          await last.close()
        },
      }
    },
    async close() {
      await Promise.all(idle.map((store) => store.close()))
      await daemon.stop()
    },
  }
}

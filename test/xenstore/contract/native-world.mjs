// The contract's world in a real xenstored that runs natively.
import { storeDescriptor } from '../../../dist/src/drivers/xenbus/store-device.js'
import { XenStore } from '../../../dist/src/xenstore.js'
import { startXenstored } from '../../xenstored/daemon.mjs'
import { effortOf } from './effort.mjs'

let next = 1

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
  return {
    async world() {
      const opened = []
      const domains = []
      const openAt = async (path, options) => {
        const store = await XenStore.open({ path: device ? deviceAt(path) : path, ...options })
        opened.push(store)
        return store
      }
      const open = (options) => openAt(daemon.socket, options)
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
        effort: effortOf(device),
        maxPayload: device ? 4080 : 4096,
        async domain(options) {
          const domid = next++
          await daemon.createDomain(domid)
          domains.push(domid)
          const guest = await openAt(daemon.ring(domid), options)
          const destroy = () => daemon.destroyDomain(domid)
          return { domid, home: `/local/domain/${domid}`, guest, destroy }
        },
        async end() {
          if (daemon.crashed) throw new Error(`xenstored was ended by ${daemon.crashed}`)
          await Promise.all(opened.map((one) => one.close()))
          for (const domid of domains) await daemon.destroyDomain(domid)
          const last = await XenStore.open({ path: daemon.socket })
          await last.remove(root)
          await last.close()
        },
      }
    },
    close: () => daemon.stop(),
  }
}

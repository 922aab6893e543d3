import { runIn, storeContract } from '../../xenstore/contract/all.mjs'
import { realStore } from '../guest/real-store.mjs'

// What test/xenstore/contract.test.ts runs against a xenstored without Xen, in dom0: through its socket, and the kernel.
const ways = [
  { name: 'socket', path: '/run/xenstored/socket', maxPayload: 4096 },
  { name: 'device', path: '/dev/xen/xenbus', maxPayload: 4080 },
]

export default {
  name: 'xenstore',
  tests: ways.flatMap((way) =>
    storeContract(['domain 0', 'parts of directories']).flatMap((suite) =>
      suite.tests.map((test) => ({
        ...test,
        name: `${way.name}: ${suite.name}: ${test.name}`,
        run: async (t) => runIn(await realStore(t, way.path, way.maxPayload), test),
      })),
    ),
  ),
}

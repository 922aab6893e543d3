import { storeTests } from '../guest/real-store.mjs'

// All of the contract on the socket. On the device the nodes only: the rest is in test/xen/slow, since each store there
// starts a worker, which takes a second under emulation.
export default { name: 'xenstore', tests: [...storeTests('socket'), ...storeTests('device', 'nodes')] }

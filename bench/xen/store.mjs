import { XenStore } from '../../dist/src/xenstore.js'
import { startToolstack } from '../../test/xen/guest/domains.mjs'
import { all, compare, inC, timed } from './programs/compare.mjs'

const PATH = '/local/domain/0/data/benchmark'
const SOCKET = '/run/xenstored/socket'
const DEVICE = '/dev/xen/xenbus'
const READS = 64

async function reads(place, atOnce) {
  await startToolstack()
  const store = await XenStore.open({ path: place })
  await store.write(PATH, 'a value of a usual length')
  const ours = (operations) =>
    timed(async () => {
      for (let left = operations; left > 0; left -= atOnce) await all(atOnce, () => store.read(PATH))
    })
  await ours(3000)
  process.env.XENSTORED_PATH = place
  const c = await inC('read_rate', [PATH])
  delete process.env.XENSTORED_PATH
  const row = await compare(`READ, ${atOnce} at once`, READS, { 'xen-grants': ours, libxenstore: c.run })
  await c.end()
  await store.remove(PATH)
  await store.close()
  return { rows: [row] }
}

const test = (name, place, atOnce) => ({ name, timeoutMs: 600_000, run: () => reads(place, atOnce) })

export default {
  name: 'xenstore',
  tests: [
    test('over the device', DEVICE, 1),
    test('over the device, many', DEVICE, 64),
    test('over the socket', SOCKET, 1),
    test('over the socket, many', SOCKET, 64),
  ],
}

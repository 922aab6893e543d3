// Allocates pages, maps the first few, and holds them until it is killed. The first page, if mapped, carries 0xaa in its
// first byte and a notification to clear it. As a process it prints the refs, as a worker it posts the memory, or
// nothing if that is to be kept.
//
//   holder.mjs <pages> <mapped pages> [shared | kept]
import { parentPort } from 'node:worker_threads'
import { UNMAP_NOTIFY_CLEAR_BYTE } from '../../../dist/src/abi.js'
import { GntallocDevice } from '../../../dist/src/drivers/gntalloc/linux-gntalloc.js'
import { addressed, bytesAt } from '../../contract/addressed.mjs'
import { poke } from './raw.mjs'

const [pages, mapped] = process.argv.slice(2, 4).map(Number)
const device = addressed(new GntallocDevice())
const { index, refs } = device.allocate(0, 1, pages)
let memory
if (mapped > 0) {
  device.setUnmapNotify(index, UNMAP_NOTIFY_CLEAR_BYTE, 0)
  const address = device.mmap(index, mapped)
  poke(address, [0xaa])
  memory = bytesAt(address, 1).buffer
}
if (parentPort) parentPort.postMessage(process.argv[4] === 'shared' ? memory : undefined)
else console.log(JSON.stringify([...refs]))
setInterval(() => {}, 1 << 30)

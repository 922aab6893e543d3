// Allocates pages, maps the first few, and holds them until it is killed. The first page, if mapped, carries 0xaa in its
// first byte and a notification to clear it. As a worker it posts the refs, as a process it prints them.
//
//   holder.mjs <pages> <mapped pages>
import { parentPort } from 'node:worker_threads'
import { UNMAP_NOTIFY_CLEAR_BYTE } from '../../../dist/src/abi.js'
import { GntallocDevice } from '../../../dist/src/device/gntalloc.js'
import { poke } from './raw.mjs'

const [pages, mapped] = process.argv.slice(2).map(Number)
const device = new GntallocDevice()
const { index, refs } = device.allocate(0, 1, pages)
if (mapped > 0) {
  device.setUnmapNotify(index, UNMAP_NOTIFY_CLEAR_BYTE, 0)
  poke(device.mmap(index, mapped), [0xaa])
}
if (parentPort) parentPort.postMessage([...refs])
else console.log(JSON.stringify([...refs]))
setInterval(() => {}, 1 << 30)

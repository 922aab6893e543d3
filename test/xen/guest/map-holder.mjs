// Maps references of this domain writable, arms a notification and holds everything until it is killed.
//
//   map-holder.mjs <byte to clear> <port or 0> <ref>...
import { UNMAP_NOTIFY_CLEAR_BYTE as CLEAR, UNMAP_NOTIFY_SEND_EVENT as SEND } from '../../../dist/src/abi.js'
import { EvtchnLine } from '../../../dist/src/drivers/evtchn/linux-event-line.js'
import { EvtchnDevice } from '../../../dist/src/drivers/evtchn/linux-evtchn.js'
import { GntdevDevice } from '../../../dist/src/drivers/gntdev/linux-gntdev.js'
import { addressed } from '../../contract/addressed.mjs'

const [offset, remote, ...refs] = process.argv.slice(2).map(Number)
const device = addressed(new GntdevDevice())
const index = device.map(refs.map((ref) => ({ domid: 0, ref })))
device.mmap(index, refs.length, true)
// Kept in a variable, and so open, until the end.
const events = remote ? new EvtchnDevice(new EvtchnLine().file) : undefined
if (events) device.setUnmapNotify(index + offset, CLEAR | SEND, events.bindInterdomain(0, remote))
else device.setUnmapNotify(index + offset, CLEAR, 0)
console.log('holding')
setInterval(() => {}, 1 << 30)

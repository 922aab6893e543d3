// Holds grants until it is killed or told to exit; what it does is in HolderOptions of world.ts. Its one argument is
// JSON: those options, the domid to grant to, and the module and options of the device.

import { addressed } from '../addressed.mjs'
import { poke } from '../memory.mjs'
import { CLEAR, PAGE, SEND } from '../support.mjs'

const { device, domid, pages, mapped = 0, notify, freed, closed } = JSON.parse(process.argv[2])
const file = addressed((await import(device.module)).openDevice(device.options))
const { index, refs } = file.allocate(domid, 1, pages)
if (notify) {
  const action = notify.port === undefined ? CLEAR : CLEAR | SEND
  for (let page = 0; page < pages; page++)
    file.setUnmapNotify(index + page * PAGE + 5, action, notify.port ?? 0)
}
if (mapped > 0) poke(file.mmap(index, mapped), Buffer.alloc(mapped * PAGE, 0xaa))
if (freed) file.deallocate(index, pages)
if (closed) file.close()
process.send([...refs])
process.on('message', () => process.exit())

// What a user would write: a worker with the device in it, and a comlink call for each operation.
import { parentPort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { createPageBuffer } from '../../dist/src/drivers/page-buffer.js'
import { openDevice } from './null-device.mjs'

const device = openDevice()
const mapped = new Map()
parentPort.once('message', (port) => {
  Comlink.expose(
    {
      share(domid, pages) {
        const { index, refs } = device.allocate(domid, 0, pages)
        const memory = createPageBuffer(pages)
        device.mmap(index, pages, memory)
        mapped.set(index, memory)
        return { index, pages, memory: memory.buffer, refs: [...refs] }
      },
      release(index, pages) {
        device.munmap(mapped.get(index).address, pages * 4096)
        mapped.delete(index)
        device.deallocate(index, pages)
      },
    },
    port,
  )
})

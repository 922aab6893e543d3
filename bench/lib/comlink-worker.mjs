// What a user would write: a worker with the device in it, and a comlink call for each operation.
import { parentPort } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { openDevice } from './null-device.mjs'

const device = openDevice()
parentPort.once('message', (port) => {
  Comlink.expose(
    {
      share(domid, pages) {
        const { index, refs } = device.allocate(domid, 0, pages)
        return { index, pages, address: device.mmap(index, pages), refs: [...refs] }
      },
      release({ index, pages, address }) {
        device.munmap(address, pages * 4096)
        device.deallocate(index, pages)
      },
    },
    port,
  )
})

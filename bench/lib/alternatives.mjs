// What a Node user would write instead of fill(): copies into memory at an address.
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import koffi from 'koffi'

const memcpy = koffi.load(null).func('void *memcpy(void *to, void *from, size_t length)')

/** In libuv's pool. */
export function copyAsync(to, from, length) {
  return promisify(memcpy.async)(to, from, length)
}

/** In a worker of its own. Both sides reach it by address: posting them would copy them. */
export async function copyInWorker(to, from, length) {
  const code = `
    const { workerData: { to, from, length } } = require('node:worker_threads')
    const koffi = require('koffi')
    koffi.load(null).func('void *memcpy(void *to, void *from, size_t length)')(to, from, length)`
  const workerData = { to: Number(koffi.address(to)), from: Number(koffi.address(from)), length }
  await once(new Worker(code, { eval: true, workerData }), 'exit')
}

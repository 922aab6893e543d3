import { once } from 'node:events'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import type { SimulatedXen } from 'xen-grants/simulated'
import { deviceDescriptor } from '../../../dist/src/drivers/gntalloc/grant-device.js'
import { encode } from '../../../dist/src/simulated/wire/codec.js'
import { fixture, open, until, withXen } from '../support.js'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** A message whose head is this text. */
function framed(head: string): Buffer {
  const message = Buffer.alloc(8 + head.length)
  message.writeUInt32LE(4 + head.length, 0)
  message.writeUInt32LE(head.length, 4)
  message.write(head, 8)
  return message
}

async function startWorker(xen: SimulatedXen, pages: number): Promise<{ worker: Worker; refs: number[] }> {
  const { module, options } = xen[deviceDescriptor]
  const worker = new Worker(fixture('worker.mjs'), { workerData: { module, options, pages } })
  const [refs] = await once(worker, 'message')
  return { worker, refs }
}

describe('a worker thread that is terminated', () => {
  it('disconnects its device', () =>
    withXen({}, async (xen) => {
      const { worker } = await startWorker(xen, 2)
      expect(await xen.counters()).toMatchObject({ sessions: 1, files: 1, mappings: 1, grants: 2 })
      await worker.terminate()
      await until(xen, { sessions: 0, files: 0, mappings: 0, grants: 0 })
    }))

  it('gives its pages up although a peer in the same process maps them', () =>
    withXen({}, async (xen) => {
      const { worker, refs } = await startWorker(xen, 2)
      const peer = await xen.domain(7).map(refs, { writable: true })
      await worker.terminate()
      await until(xen, { sessions: 0, files: 0, mappings: 0, grants: 0, deferred: 2 })
      await peer.unmap()
      await xen.tick()
    }))

  it('does so also in the middle of a slow call, which blocks nobody else', () =>
    withXen(
      { ioctlDelay: 3_600_000 },
      async (xen) => {
        const { worker } = await startWorker(xen, 0)
        const messages: unknown[] = []
        worker.on('message', (message) => messages.push(message))
        worker.postMessage('go')
        await once(worker, 'message')
        const device = await open(xen)
        for (let round = 0; round < 100; round++) await xen.counters()
        expect(device.limits().limit, 'limits() is not slow').toBe(1024)
        expect(messages).toEqual(['calling'])
        expect(await xen.counters()).toMatchObject({ sessions: 2, grants: 0 })
        await worker.terminate()
        await until(xen, { sessions: 1, files: 1 })
        expect(messages).toEqual(['calling'])
        // Closing is a slow call too, so this device is left to the end of the simulation.
      },
      { sessions: 1, files: 1 },
    ))
})

describe('a connection that talks nonsense', () => {
  const nonsense = {
    'a wrong length': Buffer.alloc(8, 0xff),
    'an unknown call': encode({ id: 1, call: 'toString', args: [] }),
    'wrong arguments': encode({ id: 1, call: 'gntalloc.allocate', args: [1, 2, '3', 4] }),
    'a negative count': encode({ id: 1, call: 'gntalloc.allocate', args: [1, 7, 0, -1] }),
    'too few arguments': encode({ id: 1, call: 'gntalloc.close', args: [] }),
    'no request': encode(null),
    ...Object.fromEntries(
      [1_000, 30_000, 5_000_000].flatMap((depth) => [
        [`a call nested ${depth} deep`, framed(`{"id":1,"call":${nested(depth)},"args":[]}`)],
        [`an argument nested ${depth} deep`, framed(`{"id":1,"call":"xen.tick","args":[${nested(depth)}]}`)],
        [`a request nested ${depth} deep`, framed(nested(depth))],
      ]),
    ),
    'a call with a name of a megabyte': encode({ id: 1, call: 'x'.repeat(2 ** 20), args: [] }),
    'a copy of more than memory holds': encode(
      { id: 1, call: 'gntdev.copy', args: [3] },
      // From grant to grant, 65535 bytes each: 2 GiB with a message of 1 MiB.
      Uint32Array.from({ length: 8 * 32_768 }, (_, i) => [3, 65_535, 0, 8, 0, 0, 8, 0][i % 8]!),
    ),
  }
  it.each(Object.entries(nonsense))('%s: it is closed, and no other', (_what, bytes) =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const socket = createConnection(join(xen.path, 'control.sock'))
      const received: Buffer[] = []
      socket.on('data', (chunk) => received.push(chunk))
      // Files 2 and 3.
      for (const call of ['gntalloc.open', 'gntdev.open']) socket.write(encode({ id: 1, call, args: [0] }))
      socket.write(bytes)
      await once(socket, 'close')
      expect(Buffer.concat(received).toString()).toContain('ERR_GRANTS_PROTOCOL')
      await until(xen, { sessions: 1, files: 1 })
      device.allocate(7, 0, 1)
      device.close()
    }),
  )
})

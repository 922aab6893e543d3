import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readSync, writeFileSync, writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { openDevice } from '../../../dist/src/drivers/gntalloc/linux-gntalloc.js'
import { unmapOrphan } from '../../../dist/src/drivers/page-buffer.js'
import { eventually } from '../../contract/support.mjs'
import { limit } from '../guest/module.mjs'

function refuses(path, code, message) {
  assert.throws(() => openDevice({ path }), { name: 'GrantError', code, path, message })
}

export default {
  name: 'open',
  tests: [
    {
      name: 'a missing device says which module to load',
      run: () => refuses('/dev/xen/absent', 'ENOENT', /modprobe xen-gntalloc/),
    },
    {
      name: 'a directory, a regular file and a pipe are refused by what they are',
      run() {
        refuses('/dev/xen', 'EISDIR', /directory/)
        writeFileSync('/tmp/plain', '')
        refuses('/tmp/plain', 'ENODEV', /not a character device/)
        execFileSync('mkfifo', ['/tmp/pipe'])
        refuses('/tmp/pipe', 'ENODEV', /not a character device/)
      },
    },
    {
      name: 'another character device is recognised by its answer',
      run() {
        refuses('/dev/null', 'ENOTTY', /does not answer as the grant device/)
        refuses('/dev/xen/gntdev', 'ENOTTY', /does not answer as the grant device/)
        refuses('/dev/xen/evtchn', 'ENOSYS', /does not answer as the grant device/)
      },
    },
    {
      name: 'an unprivileged user is told about the udev rule',
      run(t) {
        t.defer(() => process.seteuid(0))
        process.seteuid(65534)
        refuses('/dev/xen/gntalloc', 'EACCES', /udev/)
      },
    },
    {
      name: 'limits() reads what the kernel says',
      run(t) {
        assert.deepEqual(t.gntalloc().limits(), { limit: 1024, freePerIteration: 10 })
      },
    },
    {
      name: 'the device neither reads nor writes',
      run(t) {
        const { fd } = t.gntallocFd()
        assert.throws(() => readSync(fd, Buffer.alloc(8)), { code: 'EINVAL' })
        assert.throws(() => writeSync(fd, Buffer.alloc(8)), { code: 'EINVAL' })
      },
    },
    {
      name: 'a worker that is terminated takes its descriptor and its grants along',
      async run(t) {
        const { worker } = await startWorker(0)
        const device = t.gntalloc()
        assert.throws(() => device.allocate(0, 1, 1), { code: 'ENOSPC' })
        await worker.terminate()
        assert.equal(device.allocate(0, 1, limit()).refs.length, limit())
      },
    },
    {
      name: 'one that leaves a page mapped which another thread refers to leaves all its grants until zero pages are there',
      async run(t) {
        const { worker, memory } = await startWorker(1)
        await worker.terminate()
        const device = t.gntalloc()
        assert.throws(() => device.allocate(0, 1, 1), { code: 'ENOSPC' })
        const view = new Uint8Array(memory)
        assert.equal(view[0], 0xaa)
        unmapOrphan(memory)
        assert.equal(view[0], 0)
        assert.equal(device.allocate(0, 1, limit()).refs.length, limit())
      },
    },
    {
      name: 'one that leaves pages mapped to which nobody else refers takes its grants along: V8 unmaps them',
      async run(t) {
        const { worker } = await startWorker(3, 'kept')
        await worker.terminate()
        const device = t.gntalloc()
        await eventually(() => {
          try {
            return device.allocate(0, 1, limit()).refs.length === limit()
          } catch (error) {
            assert.equal(error.code, 'ENOSPC')
            return false
          }
        }, 'the whole limit is free')
      },
    },
  ],
}

/** A worker that takes the whole limit and maps some of the pages. @returns it, and their memory if it is shared */
async function startWorker(mapped, memoryIs = 'shared') {
  const argv = [limit(), mapped, memoryIs]
  const worker = new Worker(new URL('../guest/holder.mjs', import.meta.url), { argv })
  const [memory] = await once(worker, 'message')
  return { worker, memory }
}

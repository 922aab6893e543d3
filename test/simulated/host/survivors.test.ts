// Sessions whose thread has ended while its process still has mapped what they had.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { MAP_SHARED, mmap, munmap, PROT_READ } from '../../../src/native/libc.js'
import { Survivors } from '../../../src/simulated/host/survivors.js'
import type { Kernel } from '../../../src/simulated/kernel/kernel.js'
import type { Session } from '../../../src/simulated/kernel/session.js'

const PAGE = 4096
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-survivors-'))
writeFileSync(join(folder, 'memory'), Buffer.alloc(4 * PAGE))
afterAll(() => rmSync(folder, { recursive: true }))

function session(frames: number[], pid: number | undefined = process.pid): Session {
  const none = new Set<number>()
  const mappedFrames = () => ({ granted: new Set(frames), mapped: none, peers: none })
  return { process: pid, mappedFrames } as unknown as Session
}

it('their files are closed at once, and the rest when nothing of theirs is mapped any more', async () => {
  const log: string[] = []
  const kernel = {
    closeFiles: () => log.push('files'),
    endSession: () => log.push('end'),
  } as unknown as Kernel
  const survivors = new Survivors(kernel, folder, () => log.push('released'))
  for (const gone of [session([]), session([3]), session([1], 2 ** 30), session([1], undefined)]) {
    survivors.connectionClosed(gone)
    expect(log.splice(0)).toEqual(['end'])
  }
  const fd = openSync(join(folder, 'memory'), 'r')
  const what = { length: 2 * PAGE, prot: PROT_READ, flags: MAP_SHARED, fd, offset: PAGE, what: 'testing' }
  const address = mmap(what)
  closeSync(fd)
  survivors.connectionClosed(session([0, 3]))
  expect(log.splice(0), 'of other frames').toEqual(['end'])
  survivors.connectionClosed(session([2]))
  expect(log.splice(0)).toEqual(['files'])
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(log).toEqual([])
  munmap(address, 2 * PAGE)
  await vi.waitUntil(() => log.length > 0)
  expect(log).toEqual(['end', 'released'])
})

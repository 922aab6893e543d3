// The memory of a simulated Xen is a file; a container's /dev/shm has 64 MiB by default.
import { describe, expect, it } from 'vitest'
import { FramePool } from '../../../src/simulated/kernel/frames.js'
import { Kernel } from '../../../src/simulated/kernel/kernel.js'

const options = {
  xenstored: 'c' as const,
  limit: 1024,
  tableCapacity: 4096,
  driverBugs: false,
  paravirtualised: false,
  freePerIteration: 0,
}

const full = {
  advice: 'the file system is full: enlarge it',
  reserve: () => false,
  clearByte() {},
  discard() {},
  read: () => new Uint8Array(),
  write() {},
}

describe('a file system that is full', () => {
  it('is named in the error, with what to do', () => {
    const kernel = new Kernel(options, full)
    const session = kernel.startSession(() => {})
    const file = kernel.gntalloc.open(session, 0)
    expect(() => kernel.gntalloc.allocate(session, file, 7, 0, 3)).toThrow(
      expect.objectContaining({ code: 'ENOMEM', message: expect.stringContaining('enlarge it') }),
    )
    expect(new FramePool(16, full).allocate(1)).toBeUndefined()
  })
})

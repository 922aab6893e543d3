import { rmSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { makeDirectory, removeDirectory } from '../../../src/simulated/host/directory.js'

/** What others have done to the folder of this user's: it is in a place where anybody may write. */
const { folder } = vi.hoisted(() => ({ folder: {} as Partial<Stats> & { isDirectory?: () => boolean } }))

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs')>()
  const lstatSync = (path: string) => Object.assign(original.lstatSync(path), folder)
  return { ...original, lstatSync }
})

afterEach(() => {
  for (const key of Object.keys(folder)) delete folder[key as keyof typeof folder]
})

describe('the folder of the simulated Xens of a user', () => {
  it('is used when it is private', () => {
    const path = makeDirectory()
    removeDirectory(path)
    expect(dirname(path)).toContain(`xen-grants-${process.getuid!()}`)
  })

  it.each([
    ['others may write to', { mode: 0o40_702 }],
    ['its group may read', { mode: 0o40_740 }],
    ['is another user’s', { uid: process.getuid!() + 1 }],
    ['is none', { isDirectory: () => false }],
  ])('that %s is refused', (_name, change) => {
    Object.assign(folder, change)
    let made: string | undefined
    try {
      expect(() => {
        made = makeDirectory()
      }).toThrow(expect.objectContaining({ code: 'EACCES', syscall: 'mkdir' }))
    } finally {
      if (made) rmSync(made, { recursive: true })
    }
  })
})

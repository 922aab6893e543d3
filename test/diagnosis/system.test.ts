import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { diagnoseSystem } from '../../src/diagnosis/diagnose.js'
import { type System, thisSystem } from '../../src/diagnosis/system.js'

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>()
  const hidden = (): never => {
    throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  }
  // Whoever runs the tests may be root, from whom nothing is hidden.
  const stat = async (path: string) => (path.includes('hidden') ? hidden() : original.stat(path))
  const access = async (path: string, mode: number) =>
    path.includes('refused') && (mode & original.constants.W_OK) !== 0
      ? hidden()
      : original.access(path, mode)
  return { ...original, stat, access }
})

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-system-'))
const file = join(folder, 'file')
writeFileSync(file, 'a line\n')
writeFileSync(join(folder, 'refused'), '')
afterAll(() => rmSync(folder, { recursive: true }))

describe('this system', () => {
  it.each([
    ['/dev/null', { exists: true, characterDevice: true, accessible: true }],
    [file, { exists: true, characterDevice: false, accessible: true }],
    [join(folder, 'none'), { exists: false, characterDevice: false, accessible: false }],
    [join(folder, 'refused'), { exists: true, characterDevice: false, accessible: false }],
    // In a folder that may not be searched: it is a matter of permission, not of a driver that is missing.
    [join(folder, 'hidden', 'device'), { exists: true, characterDevice: false, accessible: false }],
  ])('looks at %s', async (path, expected) => {
    expect(await thisSystem.inspect(path)).toEqual(expected)
  })

  it('reads a small file, or says why it cannot', async () => {
    expect(await thisSystem.read(file)).toEqual({ text: 'a line' })
    expect(await thisSystem.read(join(folder, 'none'))).toEqual({ code: 'ENOENT' })
    expect(await thisSystem.read(folder)).toEqual({ code: 'EISDIR' })
  })

  it.skipIf(process.getuid?.() === 0)(
    'tells a device that this user may not open from one that is not there',
    async () => {
      const path = join(folder, 'private')
      writeFileSync(path, '')
      chmodSync(path, 0)
      expect(await thisSystem.inspect(path)).toMatchObject({ exists: true, accessible: false })
      mkdirSync(join(folder, 'closed'), { mode: 0 })
      expect(await thisSystem.inspect(join(folder, 'closed', 'x'))).toMatchObject({ exists: true })
    },
  )
})

describe('a diagnosis', () => {
  const good: System = {
    platform: 'linux',
    arch: 'x64',
    startThread: async () => undefined,
    nodeVersion: '22.0.0',
    read: async () => ({ text: 'xen' }),
    inspect: async () => ({ exists: false, characterDevice: false, accessible: false }),
  }
  it('stops at the first thing that is missing', async () => {
    const checks = async (changes: Partial<System>): Promise<[boolean, ...string[]]> => {
      const { ready, findings } = await diagnoseSystem({ ...good, ...changes }, '/dev/x')
      return [ready, ...findings.map(({ check }) => check)]
    }
    expect(await checks({ nodeVersion: '18.0.0' })).toEqual([false, 'node'])
    expect(await checks({ arch: 'mips' })).toEqual([false, 'node', 'platform'])
    expect(await checks({ read: async () => ({ code: 'ENOENT' }) })).toEqual([
      false,
      'node',
      'platform',
      'native code',
      'xen',
    ])
    expect(await checks({ startThread: async () => 'no koffi' })).toEqual([
      false,
      'node',
      'platform',
      'native code',
    ])
    expect(await checks({})).toEqual([false, 'node', 'platform', 'native code', 'xen', 'device'])
  })
})

import { describe, expect, it } from 'vitest'
import { script } from '../setup/process.js'

describe('import', () => {
  it.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'riscv64'],
  ])(
    'works on %s %s and loads nothing native; opening rejects with ERR_GRANTS_UNSUPPORTED',
    async (platform, arch) => {
      const { code, stdout, stderr } = await script(`
      Object.defineProperty(process, 'platform', { value: '${platform}' })
      Object.defineProperty(process, 'arch', { value: '${arch}' })
      const { GrantServer, GrantError } = await import('xen-grants')
      await import('xen-grants/simulated')
      const error = await GrantServer.open().catch((error) => error)
      const native = process.report.getReport().sharedObjects.filter((path) => path.includes('koffi'))
      console.log(error instanceof GrantError, error.code, native.length)
    `)
      expect({ code, stdout: stdout.trim(), stderr }).toEqual({
        code: 0,
        stdout: 'true ERR_GRANTS_UNSUPPORTED 0',
        stderr: '',
      })
    },
  )

  it('by require works too', async () => {
    const { code, stdout } = await script(`
      import { createRequire } from 'node:module'
      const { GrantServer } = createRequire(process.cwd() + '/x.js')('xen-grants')
      console.log(typeof GrantServer.open)
    `)
    expect([code, stdout.trim()]).toEqual([0, 'function'])
  })
})

it('of the xenstore alone brings no more than its interface: what a store is made of comes with the first that is opened', async () => {
  const { code, stdout, stderr } = await script(`
    const sockets = () => process.moduleLoadList.includes('NativeModule net')
    // From Node 22 on this makes the standard output, which is a socket here.
    await import('node:util')
    const there = sockets()
    const { XenStore } = await import('xen-grants/xenstore')
    const before = sockets() && !there
    const error = await XenStore.open({ path: '/nowhere/socket' }).catch((error) => error)
    console.log(before, error.code, sockets(), process.report.getReport().sharedObjects.some((path) => path.includes('koffi')))
  `)
  expect({ code, stdout: stdout.trim(), stderr }).toEqual({
    code: 0,
    stdout: 'false ENOENT true false',
    stderr: '',
  })
})

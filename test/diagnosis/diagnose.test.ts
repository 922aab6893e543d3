import { describe, expect, it } from 'vitest'
import {
  checkDeferredRate,
  checkDevice,
  checkHypervisor,
  checkNative,
  checkNode,
  checkPlatform,
} from '../../src/diagnosis/checks.js'
import type { System } from '../../src/diagnosis/system.js'

const device = '/dev/xen/gntalloc'

function system(changes: Partial<System> & { files?: Record<string, string> } = {}): System {
  const { files = {}, ...rest } = changes
  return {
    platform: 'linux',
    arch: 'x64',
    nodeVersion: '20.19.0',
    read: async (path) => (path in files ? { text: files[path]! } : { code: 'ENOENT' }),
    startThread: async () => undefined,
    inspect: async () => ({ exists: true, characterDevice: true, accessible: true }),
    ...rest,
  }
}

describe('diagnose', () => {
  it.each([
    ['20.18.3', 'missing'],
    ['18.20.0', 'missing'],
    ['20.19.0', 'ok'],
    ['26.1.0', 'ok'],
  ])('Node %s: %s', (nodeVersion, status) => {
    expect(checkNode(system({ nodeVersion })).status).toBe(status)
  })

  it('another runtime than Node: missing, whichever version of Node it claims to be', () => {
    expect(checkNode(system({ otherRuntime: 'Bun 1.4.4', nodeVersion: '24.0.0' }))).toMatchObject({
      status: 'missing',
      message: expect.stringContaining('Bun 1.4.4'),
    })
  })

  it.each([
    [{ platform: 'darwin' }, 'missing'],
    [{ arch: 'ia32' }, 'missing'],
    [{ arch: 'arm64' }, 'ok'],
  ])('on %o: %s', (changes, status) => {
    expect(checkPlatform(system(changes)).status).toBe(status)
  })

  it('says why no thread can be started, and what to do', async () => {
    expect((await checkNative(system())).status).toBe('ok')
    const broken = system({ startThread: async () => 'koffi is not there' })
    expect(await checkNative(broken)).toMatchObject({
      status: 'missing',
      message: 'koffi is not there',
      remedy: expect.stringContaining('npm install'),
    })
  })

  it('tells dom0 from a guest, and Xen from none', async () => {
    const type = { '/sys/hypervisor/type': 'xen' }
    expect((await checkHypervisor(system())).status).toBe('missing')
    expect((await checkHypervisor(system({ files: { '/sys/hypervisor/type': 'kvm' } }))).status).toBe(
      'missing',
    )
    expect((await checkHypervisor(system({ files: type }))).message).toBe('running in a Xen domain')
    const dom0 = { ...type, '/proc/xen/capabilities': 'control_d' }
    expect((await checkHypervisor(system({ files: dom0 }))).message).toContain('control domain')
  })

  it.each([
    [{ exists: false, characterDevice: false, accessible: false }, /modprobe xen-gntalloc/],
    [{ exists: true, characterDevice: true, accessible: false }, /udev/],
    [{ exists: true, characterDevice: false, accessible: true }, /name the grant device/],
  ])('a device that is %o has a remedy', async (found, remedy) => {
    const finding = await checkDevice(system({ inspect: async () => found }), device)
    expect(finding.status).toBe('missing')
    expect(finding.remedy).toMatch(remedy)
  })

  it.each([
    ['10', 'attention'],
    ['0', 'ok'],
    ['99', 'attention'],
    ['100', 'ok'],
    ['1000', 'ok'],
    [undefined, 'unknown'],
  ])('a deferred rate of %s: %s', async (text, status) => {
    const path = '/sys/module/grant_table/parameters/free_per_iteration'
    expect((await checkDeferredRate(system(text ? { files: { [path]: text } } : {}))).status).toBe(status)
  })
})

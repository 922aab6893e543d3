import { expect, it } from 'vitest'
import { checkServices } from '../../src/diagnosis/services.js'
import { type System, thisSystem } from '../../src/diagnosis/system.js'
import { useXen } from '../setup/xen.js'

const world = useXen()
const system = (inspected: Awaited<ReturnType<System['inspect']>>): System => ({
  ...thisSystem,
  inspect: async () => inspected,
})
const present = system({ exists: true, characterDevice: true, accessible: true })

it.each([0, 5])('domain %i, which has everything, can listen and connect', async (domid) => {
  const findings = await checkServices(present, world.xen.domain(domid).xenstorePath)
  expect(findings.map(({ check, status }) => [check, status])).toEqual([
    ['event channels', 'ok'],
    ['mapping', 'ok'],
    ['services', 'ok'],
  ])
})

it('says which module to load, and whom to allow', async () => {
  const path = world.xen.domain(5).xenstorePath
  const absent = await checkServices(
    system({ exists: false, characterDevice: false, accessible: false }),
    path,
  )
  expect(absent.slice(0, 2).map(({ remedy }) => remedy)).toEqual([
    'modprobe xen-evtchn (as root)',
    'modprobe xen-gntdev (as root)',
  ])
  const locked = await checkServices(system({ exists: true, characterDevice: true, accessible: false }), path)
  for (const { status, remedy } of locked.slice(0, 2)) {
    expect(status).toBe('attention')
    expect(remedy).toContain('udevadm')
  }
})

it('a domain that may not write below its own node cannot listen', async () => {
  const { XenStore } = await import('xen-grants/xenstore')
  const root = await XenStore.open({ path: world.xen })
  const path = world.xen.domain(5).xenstorePath
  await root.setPermissions('/local/domain/5/data', [
    { domid: 0, access: 'none' },
    { domid: 5, access: 'read' },
  ])
  expect((await checkServices(present, path))[2]).toMatchObject({
    status: 'attention',
    remedy: 'in domain 0: xenstore-chmod /local/domain/5/data n5',
  })
  await root.remove('/local/domain/5/data')
  expect((await checkServices(present, path))[2]).toMatchObject({
    status: 'attention',
    remedy: expect.stringContaining('xenstore-write'),
  })
  await root.close()
})

it('without xenstored there are no services', async () => {
  expect((await checkServices(present, '/absent/socket'))[2]).toMatchObject({
    status: 'attention',
    message: expect.stringContaining('/absent/socket'),
  })
})

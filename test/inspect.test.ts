import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { EventChannels, GrantMapper, GrantServer, Xen } from 'xen-grants'
import { XenStore } from 'xen-grants/xenstore'
import { GrantError } from '../src/errors.js'
import { rangeOf } from '../src/inspect.js'
import { rejection, useXen } from './setup/xen.js'

const world = useXen()

it('what is printed of an object is a line of what one wants to know', async () => {
  await using server = await GrantServer.open({ device: world.xen })
  await using mapper = await GrantMapper.open({ device: world.xen.domain(7) })
  await using channels = await EventChannels.open({ device: world.xen })
  await using pool = await server.pool({ domid: 7, pages: 2, grants: 3 })
  const grant = await server.share({ domid: 7, pages: 3, writable: true })
  const mapped = await mapper.map({ domid: 0, refs: grant.refs })
  const refs = `${grant.refs[0]}…${grant.refs[2]}`
  expect(inspect(grant)).toBe(
    `Grant { id: ${grant.id}, domid: 7, pages: 3, writable: true, refs: '${refs}', state: 'shared' }`,
  )
  expect(inspect(mapped)).toBe(
    `MappedGrant { domid: 0, pages: 3, writable: false, refs: '${refs}', state: 'mapped' }`,
  )
  expect(inspect(pool)).toBe("GrantPool { domid: 7, grants: 3, pages: 2, free: 3, state: 'open' }")
  expect(inspect(server)).toBe(`GrantServer { device: '${world.xen.path}', state: 'open' }`)
  expect(inspect(mapper)).toBe("GrantMapper { mapped: 1, state: 'open' }")
  expect(inspect(channels)).toBe("EventChannels { state: 'open' }")
  await mapped.unmap()
  await grant.unshare()
  await server.close()
  expect(
    [inspect(mapped), inspect(grant), inspect(server), inspect(pool)].map(
      (line) => /'(\w+)' }$/.exec(line)?.[1],
    ),
  ).toEqual(['unmapped', 'unshared', 'closed', 'closed'])
})

it('what is printed of a whole domain names the parts that are open', async () => {
  await using xen = await Xen.open({ on: world.xen })
  await xen.events()
  expect(inspect(xen)).toBe("Xen { open: [ 'events' ], state: 'open' }")
})

it('what is printed of a store is where it is', async () => {
  const store = await XenStore.open({ path: world.xen })
  expect(inspect(store)).toBe(`XenStore { path: '${world.xen.xenstorePath}', state: 'open' }`)
  await store.close()
  expect(inspect(store)).toContain("state: 'closed'")
})

it('references in a row are a range, others a beginning and a number', () => {
  expect([[], [5], [5, 6], [5, 6, 7], [5, 7], [7, 6, 5]].map(rangeOf)).toEqual([
    'none',
    '5',
    '5…6',
    '5…7',
    '5, 7, … (2)',
    '7, 6, … (3)',
  ])
})

it('an error has no property but those that mean something', () => {
  expect(Object.keys(new GrantError('EIO', 'it broke', { domid: 7 }))).toEqual(['code', 'domid'])
  expect(inspect(new GrantError('EIO', 'it broke'))).not.toContain('undefined')
})

it('the stack of an error from the device worker leads to who has asked', async () => {
  await using server = await GrantServer.open({ device: world.xen })
  await using grant = await server.share({ domid: 7, pages: 1 })
  async function whoAsks(): Promise<void> {
    await grant.setUnmapNotify({ clearByte: 1, port: 77 })
  }
  const { stack } = await rejection(whoAsks())
  expect(stack).toContain('whoAsks')
  expect(stack).toContain('DeviceActor'.slice(0, 6))
  expect(stack!.split('asked in this thread')).toHaveLength(2)
})

import assert from 'node:assert/strict'
import { assertMappable, eventually, PAGE, WRITABLE } from './support.mjs'

/** Every byte of the pages was 0xaa; byte 5 of each armed one is cleared at the end. */
function cleared(peer, pages) {
  return Array.from({ length: pages }, (_, page) =>
    peer.read(page * PAGE + 4, 3).equals(Buffer.of(0xaa, 0, 0xaa)),
  )
}

/** The end of the holder, one way or the other, is the end of everything it had. */
async function endsClean(world, options, end) {
  const port = await world.bindPort()
  const holder = await world.holder({ ...options, notify: { port } })
  await assertMappable(world, holder.refs, true)
  const mapped = holder.refs.slice(0, options.mapped)
  const peer = await world.map(mapped)
  assert.deepEqual(
    cleared(peer, mapped.length),
    mapped.map(() => false),
  )
  assert.ok(await world.silent(port))
  await end(holder)
  await eventually(() => cleared(peer, mapped.length).every(Boolean), 'the bytes are cleared')
  assert.ok(await world.fired(port))
  await world.settled(holder.refs.slice(options.mapped))
  await assertMappable(world, mapped, true, 'deferred')
  await peer.unmap()
  await world.settled(mapped)
  world.open().allocate(world.domid, WRITABLE, world.limit)
}

export default {
  name: 'a process',
  tests: [
    {
      name: 'that is killed has its notifications fired and its grants taken back',
      run: (world) => endsClean(world, { pages: 4, mapped: 2 }, (holder) => holder.kill()),
    },
    {
      name: 'that ends with everything open does the same',
      run: (world) => endsClean(world, { pages: 4, mapped: 2 }, (holder) => holder.exit()),
    },
    {
      name: 'that is killed after it has closed the file under a mapping does the same',
      run: (world) => endsClean(world, { pages: 3, mapped: 2, closed: true }, (holder) => holder.kill()),
    },
    {
      name: 'that is killed lets go of pages it had freed and only mapped',
      async run(world) {
        const holder = await world.holder({ pages: 3, mapped: 2, freed: true })
        await assertMappable(world, holder.refs, [true, true, false])
        await holder.kill()
        await eventually(async () => !(await world.canMap(holder.refs[1])), 'the pages are gone')
        await assertMappable(world, holder.refs, false)
      },
    },
    {
      name: 'shares the limit with others, and gives its part back when it is killed',
      async run(world) {
        const device = world.open()
        const holder = await world.holder({ pages: world.limit - 1, mapped: 1 })
        assert.throws(() => device.allocate(world.domid, WRITABLE, 2), { code: 'ENOSPC' })
        device.allocate(world.domid, WRITABLE, 1)
        await holder.kill()
        await eventually(async () => !(await world.canMap(holder.refs.at(-1))), 'the pages are gone')
        device.allocate(world.domid, WRITABLE, world.limit - 1)
      },
    },
  ],
}

import assert from 'node:assert/strict'
import { EventChannels, GrantMapper, GrantServer } from '../../../dist/src/index.js'
import { canMap, mapDevice } from '../guest/ends.mjs'

// One of each for all tests: each takes a thread and seconds to start here. They end with the suite's process.
const opened = new Map()

function open(kind) {
  if (!opened.has(kind)) opened.set(kind, kind.open())
  return opened.get(kind)
}

async function offered(t, channels) {
  const server = await open(GrantServer)
  const grant = await server.share({ domid: 0, pages: 2 })
  grant.bytes.fill(5, 4096)
  const channel = await channels?.bindUnbound(0)
  const { refs, status } = await grant.offer(channel && { channel })
  const peer = t.peer('map_notify', 0, status.ref, status.offset, status.port ?? 0, ...refs)
  return { grant, refs, peer, channel }
}

async function holds({ grant, peer }) {
  assert.deepEqual([await peer.line(), await peer.line(), await peer.line()], ['byte 0', 'byte 5', 'mapped'])
  assert.equal(grant.peer, 'mapped')
}

async function freeAfter(t, { grant, refs }) {
  assert.equal(await grant.released(), 'released')
  await grant.unshare()
  assert.deepEqual(
    refs.map((ref) => canMap(mapDevice(t), ref)),
    [false, false],
  )
}

export default {
  name: 'C on the other end',
  tests: [
    {
      name: 'a C mapper on libxengnttab maps, lets go in order, and is seen',
      async run(t) {
        const side = await offered(t)
        await holds(side)
        const { output, code } = await side.peer.end()
        assert.deepEqual({ output, code }, { output: ['unmapped'], code: 0 })
        await freeAfter(t, side)
      },
    },
    {
      name: 'a C mapper that is killed is seen, and an event of libxenevtchn says so',
      async run(t) {
        const side = await offered(t, await open(EventChannels))
        await holds(side)
        const event = side.channel.wait()
        await side.peer.kill('SIGKILL')
        await event
        assert.equal(side.grant.peer, 'released')
        await freeAfter(t, side)
      },
    },
    {
      name: 'a C granter sees a Node mapper map and let go, and is woken',
      async run(t) {
        const [mapper, events] = [await open(GrantMapper), await open(EventChannels)]
        const granter = t.peer('grant_notify', 0, 3)
        const offer = JSON.parse(await granter.line())
        const mapped = await mapper.map({ domid: 0, offer, events })
        assert.deepEqual(
          [0, 1, 2].map((page) => mapped.bytes[page * 4096 + 9]),
          [1, 2, 3],
        )
        assert.equal(await granter.line(), 'mapped')
        await mapped.unmap()
        const { output, code } = await granter.end()
        assert.deepEqual({ output, code }, { output: ['released', 'woken'], code: 0 })
        assert.equal(canMap(mapDevice(t), offer.refs[0]), false)
      },
    },
    {
      name: 'a C granter sees a Node mapper die, and is woken',
      async run(t) {
        const granter = t.peer('grant_notify', 0, 3)
        const offer = JSON.parse(await granter.line())
        const mapper = t.node('api-mapper.mjs', JSON.stringify(offer))
        assert.equal(await mapper.line(), 'mapped [1,2,3]')
        assert.equal(await granter.line(), 'mapped')
        await mapper.kill('SIGKILL')
        const { output, code } = await granter.end()
        assert.deepEqual({ output, code }, { output: ['released', 'woken'], code: 0 })
      },
    },
    {
      name: 'events go to and fro between EventChannels and libxenevtchn',
      async run(t) {
        const channel = await (await open(EventChannels)).bindUnbound(0)
        const echo = t.peer('event_echo', 'echo', 0, channel.port)
        assert.equal(await echo.line(), 'bound')
        for (let round = 0; round < 100; round++) {
          const answer = channel.wait()
          channel.notify()
          await answer
        }
        assert.deepEqual((await echo.end()).output, [])
      },
    },
  ],
}

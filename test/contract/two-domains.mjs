import assert from 'node:assert/strict'
import { eventually, PAGE } from './support.mjs'

// What two domains do to each other, each by a program of its own. Runs on the simulated Xen (two-domains.test.ts) and across
// dom0 and a guest of the emulated machine (test/xen/slow/two-domains.mjs).

/** More than half of a driver's limit of 1024, so that it shows whether two domains share one. */
const MOST_OF_THE_LIMIT = 1000

const EINVAL = { refused: 'EINVAL' }

/** A channel between the two, under one name at both ends. */
async function connect(near, far, id) {
  const port = await near.ask('bind', { id, domid: far.domid })
  await far.ask('bind', { id, domid: near.domid, port })
}

async function end(...things) {
  for (const [program, id] of things) assert.equal(await program.ask('end', { id }), true)
}

/** Nobody can map it any more: its kernel looks once a second. */
async function gone(mapper, domid, refs) {
  await eventually(
    async () => (await mapper.ask('tryMap', { domid, refs })).refused === 'EINVAL',
    'the page is free',
  )
}

export default {
  name: 'two domains that both grant',
  tests: [
    {
      name: 'map what the other grants, and see what it writes',
      async run(pair) {
        const [near, far] = await pair.programs()
        for (const [granter, mapper, byte] of [
          [near, far, 3],
          [far, near, 5],
        ]) {
          const refs = await granter.ask('share', {
            id: 'own',
            domid: mapper.domid,
            pages: 2,
            writable: true,
            byte,
          })
          await mapper.ask('map', { id: 'theirs', domid: granter.domid, refs, writable: true })
        }
        // Both grant, both map, at the same time.
        assert.deepEqual(await far.ask('read', { id: 'theirs', at: [0, PAGE + 1] }), [3, 3])
        assert.deepEqual(await near.ask('read', { id: 'theirs', at: [0, PAGE + 1] }), [5, 5])
        await far.ask('write', { id: 'theirs', at: PAGE, byte: 77 })
        assert.deepEqual(await near.ask('read', { id: 'own', at: [0, PAGE] }), [3, 77])
        assert.deepEqual(await far.ask('read', { id: 'own', at: [0, PAGE] }), [5, 5])
        await end([near, 'theirs'], [far, 'theirs'], [near, 'own'], [far, 'own'])
      },
    },
    {
      name: 'are refused what is granted to others, for writing what is granted for reading, and what is free',
      async run(pair) {
        const [near, far] = await pair.programs()
        const refs = await near.ask('share', { id: 'read-only', domid: far.domid, pages: 1 })
        const others = await near.ask('share', { id: 'others', domid: pair.stranger, pages: 1 })
        const { domid } = near
        assert.equal(await far.ask('tryMap', { domid, refs }), true)
        assert.deepEqual(await far.ask('tryMap', { domid, refs, writable: true }), EINVAL)
        assert.deepEqual(await far.ask('tryMap', { domid, refs: others }), EINVAL)
        assert.deepEqual(await near.ask('tryMap', { domid, refs }), EINVAL, 'the granter itself')
        const { name } = await far.ask('copy', { source: { domid, ref: others[0] }, length: 8 })
        assert.equal(name, 'GNTST_general_error')
        await end([near, 'read-only'], [near, 'others'])
        assert.deepEqual(await far.ask('tryMap', { domid, refs }), EINVAL)
      },
    },
    {
      name: 'copy from the other into memory, and from its pages into their own',
      async run(pair) {
        const [near, far] = await pair.programs()
        const theirs = await near.ask('share', { id: 'own', domid: far.domid, pages: 1, byte: 4 })
        const source = { domid: near.domid, ref: theirs[0], offset: 10 }
        assert.deepEqual(await far.ask('copy', { source, length: 3 }), {
          name: 'GNTST_okay',
          bytes: [4, 4, 4],
        })
        // What a domain has granted to the other it cannot name itself, so the other copies into that.
        const target = await near.ask('share', { id: 'target', domid: far.domid, pages: 1, writable: true })
        const between = { source, target: { domid: near.domid, ref: target[0], offset: 100 }, length: 2 }
        assert.equal((await far.ask('copy', between)).name, 'GNTST_okay')
        assert.deepEqual(await near.ask('read', { id: 'target', at: [99, 100, 101, 102] }), [0, 4, 4, 0])
        await end([near, 'own'], [near, 'target'])
      },
    },
    {
      name: 'signal each other through an event channel',
      async run(pair) {
        const [near, far] = await pair.programs()
        await connect(near, far, 'channel')
        for (const [from, to] of [
          [near, far],
          [far, near],
          [near, far],
        ]) {
          await from.ask('notify', { id: 'channel' })
          assert.equal(await to.ask('event', { id: 'channel' }), true)
        }
        await end([near, 'channel'], [far, 'channel'])
      },
    },
    {
      name: 'learn that the other has unmapped what they had offered',
      async run(pair) {
        const [near, far] = await pair.programs()
        const port = await far.ask('bind', { id: 'channel', domid: near.domid })
        assert.ok(port > 0)
        await far.ask('share', { id: 'own', domid: near.domid, pages: 2, byte: 8 })
        const offer = await far.ask('offer', { id: 'own', channel: 'channel' })
        await near.ask('mapOffer', { id: 'theirs', domid: far.domid, offer })
        assert.equal(await far.ask('peer', { id: 'own' }), 'mapped')
        await end([near, 'theirs'])
        assert.equal(await far.ask('released', { id: 'own' }), 'released')
        await end([far, 'own'], [far, 'channel'])
      },
    },
    {
      name: 'have limits of their own',
      async run(pair) {
        const programs = await pair.programs()
        for (const program of programs) {
          const request = { id: 'most', domid: pair.stranger, pages: MOST_OF_THE_LIMIT }
          assert.equal((await program.ask('share', request)).length, 1)
        }
        for (const program of programs) await end([program, 'most'])
      },
    },
    {
      name: 'get the byte cleared and the event when the mapper is killed, and their pages free',
      async run(pair) {
        const [near, far] = await pair.programs()
        await connect(near, far, 'channel')
        const refs = await near.ask('share', {
          id: 'own',
          domid: far.domid,
          pages: 2,
          writable: true,
          byte: 9,
        })
        const notify = { offset: 5, channel: 'channel' }
        await far.ask('map', { id: 'theirs', domid: near.domid, refs, writable: true, notify })
        assert.deepEqual(await near.ask('read', { id: 'own', at: [4, 5] }), [9, 9])
        await far.kill()
        assert.equal(await near.ask('event', { id: 'channel' }), true)
        assert.deepEqual(await near.ask('read', { id: 'own', at: [4, 5, 6] }), [9, 0, 9])
        await end([near, 'own'], [near, 'channel'])
      },
    },
    {
      name: 'keep what they map of a program that is killed, and its pages are free once they unmap',
      async run(pair) {
        const [near, far] = await pair.programs()
        const refs = await far.ask('share', { id: 'own', domid: near.domid, pages: 2, byte: 6 })
        await near.ask('map', { id: 'theirs', domid: far.domid, refs: [refs[0]] })
        await far.kill()
        await gone(near, far.domid, [refs[1]])
        assert.deepEqual(await near.ask('read', { id: 'theirs', at: [0, PAGE - 1] }), [6, 6])
        assert.equal(await near.ask('tryMap', { domid: far.domid, refs: [refs[0]] }), true, 'deferred')
        await end([near, 'theirs'])
        await gone(near, far.domid, [refs[0]])
        // All of its limit is there again.
        const [, again] = await pair.programs()
        const request = { id: 'most', domid: pair.stranger, pages: MOST_OF_THE_LIMIT }
        assert.equal((await again.ask('share', request)).length, 1)
        await end([again, 'most'])
      },
    },
  ],
}

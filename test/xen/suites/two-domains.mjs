import assert from 'node:assert/strict'
import { GrantMapper, GrantServer } from 'xen-grants'
import { eventually } from '../../contract/support.mjs'
import { attempts } from '../guest/attempts.mjs'
import { checksum } from '../guest/checksum.mjs'
import { guest, lingering } from '../guest/domains.mjs'
import { limit, setFreePerIteration } from '../guest/module.mjs'
import { PAGE, peek, poke } from '../guest/raw.mjs'

const PAGES = 6
const FOUR_MINUTES = 240_000

/** The one GrantServer of each guest, driven through files there. */
const servers = new Map()

async function serverIn(domain) {
  if (!servers.has(domain)) servers.set(domain, await startServer(domain))
  return servers.get(domain)
}

async function startServer(domain) {
  const id = '/tmp/server'
  const script = '/package/test/xen/guest/server.mjs'
  const command = `(tail -f ${id}.in | node ${script} >${id}.out 2>${id}.err) >/dev/null 2>&1 &`
  await domain.run(`touch ${id}.in; ${command}`)
  let told = 0
  const tell = async (line) => {
    told++
    await domain.run(`echo ${line} >>${id}.in`)
    // Waits in there: each look from here takes a round trip through both domains.
    const answered = `[ $(grep -c '^[0-9]' ${id}.out) -ge ${told} ] || grep -q Error ${id}.err`
    const wait = `for i in $(seq 100); do ${answered} && break; usleep 100000; done; cat ${id}.out ${id}.err`
    for (let tries = 0; tries < 6; tries++) {
      const { output } = await domain.run(wait)
      assert.doesNotMatch(output, /Error/)
      const answers = output.split('\n').filter((text) => /^\d+ /.test(text))
      if (answers.length >= told) return answers[told - 1]
    }
    throw new Error(`the server in ${domain.name} never answered ${line}`)
  }
  return {
    /** Shares pages filled with their number. */
    async share(domid, access = 'w', pages = PAGES) {
      const [, number, refs] = /^(\d+) refs (.*)$/.exec(await tell(`share ${domid} ${access} ${pages}`))
      return {
        refs: JSON.parse(refs),
        show: async () => JSON.parse(/^\d+ bytes (.*)$/.exec(await tell(`show ${number}`))[1]),
        free: () => tell(`free ${number}`),
      }
    },
    /** What comes of its tries to get at what this domain has granted to others. */
    async steal(domid, refs) {
      return JSON.parse(/^\d+ got (.*)$/.exec(await tell(`steal ${domid} ${refs.join(',')}`))[1])
    },
  }
}

function patternChecksums(pages) {
  return Array.from({ length: pages }, (_, page) => checksum(Buffer.alloc(PAGE, page + 1)))
}

async function refused(t, domid, ref) {
  const { output, code } = await t.peer('map_check', domid, 'r', ref).end()
  assert.deepEqual({ output, code }, { output: ['error 22'], code: 1 })
}

/** Nobody but the peer gets a page, whichever way it tries. */
const NOTHING = {
  read: ['EINVAL'],
  write: ['EINVAL'],
  copyFrom: ['GNTST_general_error'],
  copyTo: ['GNTST_general_error'],
}

/** Dom0 grants and maps as before, and runs no guest that it does not know of. */
async function stillSane(t) {
  const device = t.gntalloc()
  // Less the reserve of a GrantServer that may still be open.
  const { index, refs } = device.allocate(0, 1, limit() - 4)
  const address = device.mmap(index, 8)
  poke(address, [1])
  const mapped = t.gntdev().map(refs.subarray(0, 8))
  assert.equal(peek(mapped.address)[0], 1)
  mapped.unmap()
  device.munmap(address, 8 * PAGE)
  device.deallocate(index, refs.length)
  // A destroyed domain stays until the last of its pages is let go, which takes the hypervisor a moment.
  await eventually(() => !lingering(), 'the guest is gone')
}

export default {
  name: 'two domains',
  tests: [
    {
      name: 'a GrantServer in a guest shares with dom0, whose C peer verifies every page, answers, and is seen',
      timeoutMs: FOUR_MINUTES,
      async run(t) {
        const one = await guest('one', 'node')
        const { refs, show, free } = await (await serverIn(one)).share(0)
        const peer = t.peer('map_check', one.domid, 'w', ...refs)
        for (const expected of patternChecksums(PAGES)) assert.equal(await peer.line(), expected)
        assert.equal(await peer.line(), 'held')
        assert.deepEqual(await show(), [254, 253, 252, 251, 250, 249])
        assert.equal((await peer.end()).code, 0)
        await free()
        await refused(t, one.domid, refs[0])
      },
    },
    {
      name: 'dom0 may not write what is granted for reading, nor map what is granted to others',
      timeoutMs: FOUR_MINUTES,
      async run(t) {
        const one = await guest('one', 'node')
        const { refs } = await (await serverIn(one)).share(0, 'r')
        const { output } = await t.peer('map_check', one.domid, 'w', ...refs).end()
        assert.deepEqual(output, ['error 22'])
        const mapped = t.gntdev().map(refs, { domid: one.domid, writable: false })
        assert.deepEqual([...peek(mapped.address, 2)], [1, 1])
        mapped.unmap()
        const elsewhere = await (await serverIn(one)).share(4000, 'w', 1)
        await refused(t, one.domid, elsewhere.refs[0])
      },
    },
    {
      name: 'Node in dom0 grants to a guest, whose C peer reads it',
      timeoutMs: FOUR_MINUTES,
      async run(t) {
        const two = await guest('two', 'small')
        const device = t.gntalloc()
        const { index, refs } = device.allocate(two.domid, 0, 2)
        const address = device.mmap(index, 2)
        for (const page of [0, 1]) poke(address + page * PAGE, Buffer.alloc(PAGE, page + 1))
        const { output, code } = await two.run(`/peers/map_check 0 r ${[...refs].join(' ')} </dev/null`)
        assert.deepEqual(
          { lines: output.split('\n'), code },
          { lines: [...patternChecksums(2), 'held'], code: 0 },
        )
        // Granted to the guest and to nobody else, its owner included.
        await refused(t, 0, refs[0])
        device.munmap(address, 2 * PAGE)
        device.deallocate(index, 2)
        assert.match((await two.run(`/peers/map_check 0 r ${refs[0]} </dev/null`)).output, /^error 22$/m)
      },
    },
    {
      name: 'a second guest maps what is granted to it and is refused what is granted to dom0',
      timeoutMs: FOUR_MINUTES,
      async run(t) {
        const [one, two] = [await guest('one', 'node'), await guest('two', 'small')]
        const forDom0 = await (await serverIn(one)).share(0, 'w', 1)
        const forTwo = await (await serverIn(one)).share(two.domid, 'w', 1)
        const map = async ({ refs }) =>
          (await two.run(`/peers/map_check ${one.domid} r ${refs[0]} </dev/null`)).output
        assert.match(await map(forDom0), /^error 22$/m)
        // The same reference, at the same time.
        t.gntdev().map(forDom0.refs, { domid: one.domid }).unmap()
        assert.deepEqual((await map(forTwo)).split('\n'), [...patternChecksums(1), 'held'])
      },
    },
    {
      name: 'a third domain gets no page of a grant, writable or not, while the peer maps every one',
      timeoutMs: 2 * FOUR_MINUTES,
      async run(t) {
        const [one, two] = [await guest('one', 'node'), await guest('two', 'small')]
        const [server, mapper] = [await GrantServer.open(), await GrantMapper.open()]
        t.defer(() => server.close({ force: true }))
        t.defer(() => mapper.close({ force: true }))
        const thief = await serverIn(one)
        for (const writable of [true, false]) {
          const grant = await server.share({ domid: two.domid, pages: PAGES, writable })
          for (let page = 0; page < PAGES; page++) grant.bytes.fill(page + 1, page * PAGE, (page + 1) * PAGE)
          assert.deepEqual(await thief.steal(0, grant.refs), NOTHING, 'the other guest')
          assert.deepEqual(await attempts(mapper, 0, grant.refs), NOTHING, 'the granter itself')
          const { output } = await two.run(`/peers/map_check 0 r ${grant.refs.join(' ')} </dev/null`)
          assert.deepEqual(output.split('\n'), [...patternChecksums(PAGES), 'held'], 'the peer')
        }
        // Dom0 has every privilege in Xen but this one.
        const { refs } = await thief.share(two.domid)
        assert.deepEqual(await attempts(mapper, one.domid, refs), NOTHING, 'dom0')
      },
    },
    {
      name: 'a page of a guest that dies stays readable for the domain that maps it',
      timeoutMs: FOUR_MINUTES,
      async run(t) {
        const one = await guest('one', 'node')
        const { refs } = await (await serverIn(one)).share(0)
        const device = t.gntdev()
        const mapped = device.map(refs, { domid: one.domid })
        one.destroy()
        assert.deepEqual([...peek(mapped.address + PAGE, 2)], [2, 2])
        mapped.unmap()
        assert.equal(device.canMap(refs[0], { domid: one.domid }), false)
        await stillSane(t)
      },
    },
    {
      name: 'a guest that dies while it maps pages of a GrantServer in dom0 lets go of them',
      timeoutMs: FOUR_MINUTES,
      async run(t) {
        setFreePerIteration(t, 0)
        const two = await guest('two', 'small')
        const server = await GrantServer.open()
        t.defer(() => server.close({ force: true }))
        const grant = await server.share({ domid: two.domid, pages: 4, writable: true })
        grant.bytes.fill(0x0f)
        await two.run(`(sleep 600 | /peers/map_check 0 w ${grant.refs.join(' ')}) >/dev/null 2>&1 &`)
        await eventually(() => grant.bytes.every((byte) => byte === 0xf0), 'the guest has mapped and written')
        two.destroy()
        assert.equal(grant.bytes[0], 0xf0)
        await grant.unshare()
        await stillSane(t)
      },
    },
  ],
}

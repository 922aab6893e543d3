import { XenStore } from '../../../dist/src/xenstore.js'
import { runIn, storeContract } from '../../xenstore/contract/all.mjs'
import { ownNodes } from '../../xenstore/contract/own-nodes.mjs'
import { guest, startToolstack } from './domains.mjs'
import { startInGuest } from './guest-program.mjs'

/** Under emulation a request takes up to thirty times as long. */
const EFFORT = 0.2
/** A bound, and no measure: the first test boots the guest. */
const GUEST_MS = 600_000

const ways = {
  socket: { path: '/run/xenstored/socket', device: false, idle: [] },
  device: { path: '/dev/xen/xenbus', device: true, idle: [] },
}

const testsOf = (offers) =>
  storeContract(offers).flatMap((suite) => suite.tests.map((test) => ({ ...test, suite: suite.name })))

/** A place of a test's own in the store of the domain this runs in. */
async function realStore(way, domid) {
  const { path, ...how } = ways[way]
  const connect = (to, options) => XenStore.open({ path: to, ...options })
  const { nodes, closeAll } = await ownNodes(connect, path, { ...how, rules: 'C', another: true, domid })
  return {
    ...nodes,
    effort: EFFORT,
    async end() {
      const last = await nodes.open()
      await last.remove(nodes.root)
      await closeAll()
    },
  }
}

/**
 * What test/xenstore/contract.test.ts runs against a xenstored without Xen, in dom0.
 * @param {'socket' | 'device'} way
 * @param {string} [only] the name of one suite of the contract
 */
export function storeTests(way, only) {
  return testsOf(['domain 0', 'parts of directories'])
    .filter(({ suite }) => only === undefined || suite === only)
    .map((test) => ({
      ...test,
      name: `${way}: ${test.suite}: ${test.name}`,
      async run() {
        await startToolstack()
        await runIn(await realStore(way, 0), test)
      },
    }))
}

/** Not those of long directories: what a guest may have in one is shorter. */
const inGuest = testsOf([])

/** The test of this number of `guestStoreTests`, in the guest. */
export async function runInGuest(number, domid) {
  await runIn(await realStore('device', domid), inGuest[number])
}

/** The same in a guest, which has no rights but its own, through its device. @param {string} name of the guest */
export function guestStoreTests(name) {
  let started
  const start = async () => {
    const domain = await guest(name, 'node')
    return startInGuest(domain, 'guest-store.mjs', domain.domid)
  }
  return inGuest.map((test, number) => ({
    ...test,
    name: `a guest's device: ${test.suite}: ${test.name}`,
    timeoutMs: GUEST_MS,
    async run() {
      started ??= start()
      const failure = await (await started).ask(`test ${number}`)
      if (failure !== null) throw new Error(failure)
    },
  }))
}

import assert from 'node:assert/strict'
import { eventually } from '../../contract/support.mjs'
import { isFree } from './free.mjs'
import { setFreePerIteration, setLimit } from './module.mjs'
import { Node, xenOfThisProcess } from './vchan-ends.mjs'
import { patternCrc } from './vchan-pattern.mjs'

/** Pages of the driver's limit: two ends with rings of 1 MiB take 513, and what a test before has left may be on its way. */
const LIMIT = 4096
const HOME = '/local/domain/0'
let paths = 0

/** A place for the keys of one server of dom0. */
export function newPath() {
  return `${HOME}/data/vchan/0/${++paths}`
}

/** How each test of vchans in dom0 begins: this process is ready, and the kernel gives deferred pages back soon. */
export async function prepare(t) {
  setLimit(t, LIMIT)
  setFreePerIteration(t, 0)
  return xenOfThisProcess()
}

/**
 * Runs `work` and looks at what is left then: no key, and as many free pages as before.
 * @param keysStay the server is killed, and libxenvchan has its keys until it closes
 */
export async function leavingNothing(t, path, work, { keysStay = false } = {}) {
  const xen = await prepare(t)
  await warmUp(t)
  const device = t.gntalloc()
  const before = freePages(device)
  await work()
  await eventually(() => freePages(device) === before, `${before} pages are free again`)
  if (keysStay) await (await xen.store()).remove(path)
  else await gone(path)
}

/** Waits until a server's keys have been removed. */
export async function gone(path) {
  const store = await (await xenOfThisProcess()).store()
  await eventually(async () => !(await store.exists(path)), `${path} is gone`)
}

let warm

/** What the first connection of a process opens stays open. */
function warmUp(t) {
  warm ??= (async () => {
    const path = newPath()
    const server = Node(t, 'server', 0, path, { put: 1, take: 0 })
    await Promise.all([server.done(), Node(t, 'client', 0, path, {}).done()])
  })()
  return warm
}

/** How many pages the driver can still give, which it tells nobody. */
export function freePages(device) {
  let [few, many] = [0, LIMIT + 1]
  while (many - few > 1) {
    const middle = (few + many) >> 1
    if (isFree(device, middle)) few = middle
    else many = middle
  }
  return few
}

/**
 * Both ends send and take at the same time, and each takes what the other has sent.
 * @param {object} options `rings` of the server, `bytes` that the client sends and as many and one that the server does;
 * `server` and `client`: more options of each
 */
export async function exchange(
  t,
  ServerEnd,
  ClientEnd,
  { rings = {}, bytes, server: more = {}, client = {} } = {},
) {
  await prepare(t)
  const path = newPath()
  const [up, down] = [bytes, bytes + 1]
  const server = ServerEnd(t, 'server', 0, path, { ...rings, put: down, take: up, seed: 1, ...more })
  if (more.start !== undefined) await server.serving()
  const other = ClientEnd(t, 'client', 0, path, { put: up, take: down, seed: 2, ...client })
  const [atServer, atClient] = await Promise.all([server.done(), other.done()])
  equal(atServer, { sent: down, received: up, seed: 2 })
  equal(atClient, { sent: up, received: down, seed: 1 })
  return { atServer, atClient }
}

/** @param seed of the other end */
export function equal(counts, { sent, received, seed }) {
  assert.deepEqual(
    { error: counts.error, sent: counts.sent, received: counts.received, crc: counts.receivedCrc },
    { error: undefined, sent, received, crc: patternCrc(seed, received) },
  )
}

/** Bytes for rings of that size that go round some times, and not for minutes. */
export function bytesFor({ receive, send }) {
  return Math.min(Math.max(24 * Math.min(receive, send), 65536), 3 << 20)
}

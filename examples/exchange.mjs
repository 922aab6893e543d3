// Two processes, each with a server and a mapper, send each other data at the same time through pages that each grants to
// the other. Event channels say when to look; both ends hash what they sent and what they received.
//
//   node examples/exchange.mjs [--real] [--mebibytes <each way>] [--pages <each way>]
//
// Without --real it runs against the simulated Xen; with it, in any domain on Xen, which grants to itself as domain 0.
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { EventChannels, GrantMapper, GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'

const PAGE = 4096
const DOMAIN = 0
const { values: options } = parseArgs({
  options: {
    real: { type: 'boolean', default: false },
    mebibytes: { type: 'string', default: '32' },
    pages: { type: 'string', default: '1024' },
    // The second process is started with the path of the simulated Xen, '' for none.
    join: { type: 'string' },
  },
})
const pages = Number(options.pages)
const first = options.join === undefined

// The first page of a grant says how far its owner is, so that neither needs to write to the other's: slots it has
// filled, and slots of the other's it has emptied. The other pages are a ring of slots.
const FILLED = 0
const EMPTIED = 1
const SLOTS = 11
if (!(pages > SLOTS) || !(Number(options.mebibytes) > 0)) {
  console.error(`--pages takes a number above ${SLOTS}, --mebibytes one above 0`)
  process.exit(2)
}
const slotBytes = Math.floor((pages - 1) / SLOTS) * PAGE
const total = Math.ceil((Number(options.mebibytes) * 2 ** 20) / slotBytes)

const xen = first
  ? options.real || (await SimulatedXen.create({ limit: 4 * pages }))
  : options.join && (await SimulatedXen.attach(options.join))
const device = xen instanceof SimulatedXen ? { device: xen } : {}
const other = first
  ? fork(import.meta.filename, [...process.argv.slice(2), '--join', options.real ? '' : xen.path])
  : process
const next = messages(other)
// Listened for from the start: it may end before this process does.
const ended = first && once(other, 'exit')

const server = await GrantServer.open(device)
const mapper = await GrantMapper.open(device)
const events = await EventChannels.open(device)

const grant = await server.share({ domid: DOMAIN, pages })
const offer = await grant.offer({ channel: await events.bindUnbound(DOMAIN) })
// One channel for both: the first binds it, the second binds to it.
const bound = first ? await events.bindUnbound(DOMAIN) : undefined
other.send({ offer, port: bound?.port })
const theirs = await next()
const channel = bound ?? (await events.bindInterdomain(DOMAIN, theirs.port))
const mapped = await mapper.map({ domid: DOMAIN, offer: theirs.offer, events })

const began = performance.now()
const { sent, received, waits } = await exchange(grant.bytes, mapped.bytes)
const seconds = (performance.now() - began) / 1000

await mapped.unmap()
await grant.unshare({ whenReleased: true })
const { deferred } = await server.stats()
other.send({ sent, received, deferred: deferred.pages })
const peer = await next()
await events.close()
await mapper.close()
await server.close()

if (first) {
  const mebibytes = (total * slotBytes) / 2 ** 20
  const equal = sent === peer.received && received === peer.sent
  console.log(`${mebibytes.toFixed(0)} MiB each way through ${pages} pages in ${seconds.toFixed(1)} s`)
  console.log(`${((2 * mebibytes) / seconds).toFixed(0)} MiB/s, ${waits} waits for an event`)
  console.log(`SHA-256 there ${sent}\nSHA-256 back  ${received}`)
  console.log(equal ? 'equal at both ends' : 'DIFFERENT at the ends')
  console.log(`pages the kernel still holds: ${deferred.pages + peer.deferred}`)
  if (!equal || deferred.pages + peer.deferred > 0) process.exitCode = 1
  await ended
  if (!options.real) await xen.close()
} else {
  process.disconnect()
  if (options.join) await xen.close()
}

async function exchange(out, back) {
  const own = new Int32Array(out.buffer, out.byteOffset, 2)
  const their = new Int32Array(back.buffer, back.byteOffset, 2)
  const slot = (bytes, number) =>
    bytes
      .subarray(PAGE)
      .subarray((number % SLOTS) * slotBytes)
      .subarray(0, slotBytes)
  const [sending, receiving] = [createHash('sha256'), createHash('sha256')]
  const noise = randomBytes(slotBytes)
  let [filled, emptied, waits] = [0, 0, 0]
  for (;;) {
    const before = filled + emptied
    while (filled < total && filled - Atomics.load(their, EMPTIED) < SLOTS) {
      const bytes = slot(out, filled)
      // Every slot is another one, at the price of a copy.
      noise.writeUInt32LE(filled, 0)
      bytes.set(noise)
      sending.update(bytes)
      Atomics.store(own, FILLED, ++filled)
    }
    while (emptied < Atomics.load(their, FILLED)) {
      receiving.update(slot(back, emptied))
      Atomics.store(own, EMPTIED, ++emptied)
    }
    if (filled + emptied > before) channel.notify()
    if (filled === total && emptied === total) break
    // An event that came since the counters were read is kept: nothing is missed.
    await channel.wait()
    waits++
  }
  return { sent: sending.digest('hex'), received: receiving.digest('hex'), waits }
}

/** @returns a function that waits for the next message of the other process */
function messages(process) {
  const queue = []
  let wake = () => {}
  process.on('message', (message) => {
    queue.push(message)
    wake()
  })
  return async () => {
    while (queue.length === 0) {
      await new Promise((resolve) => {
        wake = resolve
      })
    }
    return queue.shift()
  }
}

// Reading a node of a real xenstored through its socket: this package, beside a client that only writes prepared bytes, and
// libxenstore, which has one request under way at a time. node bench/xenstore.mjs [rounds]
import { XenStore } from 'xen-grants/xenstore'
import { startXenstored, whyNot } from '../test/xenstored/daemon.mjs'
import { BareStore } from './lib/bare-store.mjs'
import { compile, Rounds } from './lib/native.mjs'
import { report } from './lib/results.mjs'

const rounds = Number(process.argv[2] ?? 7)
const READS = 20_000
const node = '/local/domain/7/data/value'

const missing = whyNot()
if (missing) {
  console.log(`no xenstored to measure on: ${missing}`)
  process.exit(0)
}
const daemon = await startXenstored()
process.env.XENSTORED_PATH = daemon.socket
const store = await XenStore.open()
await store.write(node, 'a value of usual length')
const bare = await BareStore.open(daemon.socket, node)
const libxenstore = new Rounds(compile('xenstore', '-lxenstore'), [node, READS])

async function timed(work) {
  const began = performance.now()
  await work()
  return ((performance.now() - began) / READS) * 1000
}

async function read(inFlight) {
  let left = READS
  const one = async () => {
    while (left-- > 0) await store.read(node)
  }
  await Promise.all(Array.from({ length: inFlight }, one))
}

const samples = {}
for (const inFlight of [1, 64]) {
  const row = { 'a bare Node client': [], 'xen-grants': [], 'libxenstore (C), one at a time': [] }
  samples[`${inFlight} in flight`] = row
  for (let round = -1; round < rounds; round++) {
    const [ours, theirs, c] = [
      await timed(() => read(inFlight)),
      await timed(() => bare.read(READS, inFlight)),
      await libxenstore.next(),
    ]
    if (round < 0) continue
    row['xen-grants'].push(ours)
    row['a bare Node client'].push(theirs)
    row['libxenstore (C), one at a time'].push(c)
  }
}
libxenstore.end()
bare.close()
await store.close()
await daemon.stop()
report('xenstore', { title: 'One READ of xenstored', unit: 'µs', baseline: 'a bare Node client', samples })

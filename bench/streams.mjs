// How long the main thread of either end is held while streams run at full rate between two processes, as domains 3 and 5 of a
// simulated Xen, beside idle ones, and beside the same through Unix sockets: node bench/streams.mjs [seconds]
import { fork } from 'node:child_process'
import { on, once } from 'node:events'
import { connect as connectSocket, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen } from 'xen-grants/vchan'
import { LoopDelay } from './lib/loop-delay.mjs'
import { table } from './lib/table.mjs'

const MIB = 1 << 20
const [SERVER, CLIENT] = [3, 5]
const STREAMS = [1, 4, 16]

if (process.env.XEN_GRANTS_BENCH_PEER) await peer(process.env.XEN_GRANTS_BENCH_PEER)
else await main(1000 * Number(process.argv[2] ?? 3))

/** Whoever connects is written to for as long as that goes. Between two messages it measures. */
async function peer(place) {
  const simulated = await SimulatedXen.attach(place)
  const xen = await Xen.open({ on: simulated.domain(SERVER) })
  const block = Buffer.alloc(64 << 10, 'x')
  const pour = (stream) => {
    const more = () => {
      while (!stream.destroyed && stream.write(block));
    }
    stream.on('error', () => {}).on('drain', more)
    more()
  }
  const sockets = createServer(pour)
  await once(sockets.listen(`${place}/bench`), 'listening')
  const service = await listen(xen, { name: 'bench', domids: [CLIENT], window: MIB }, pour)
  process.send('ready')
  let delay
  for await (const [message] of on(process, 'message')) {
    if (message === 'end') break
    if (message === 'begin') delay = new LoopDelay()
    else process.send(delay.stop())
  }
  sockets.close()
  await service.close({ force: true })
  await xen.close()
  await simulated.close()
  process.disconnect()
}

async function main(milliseconds) {
  const simulated = await SimulatedXen.create({ limit: 32_768, tableCapacity: 65_536 })
  const xen = await Xen.open({ on: simulated.domain(CLIENT) })
  const child = fork(import.meta.filename, { env: { ...process.env, XEN_GRANTS_BENCH_PEER: simulated.path } })
  await once(child, 'message')
  const rows = []
  const measure = async (name, streams) => {
    let bytes = 0
    for (const stream of streams) stream.on('error', () => {}).on('data', (chunk) => (bytes += chunk.length))
    await sleep(500)
    child.send('begin')
    const delay = new LoopDelay()
    const [began, before] = [performance.now(), bytes]
    await sleep(milliseconds)
    const rate = (bytes - before) / MIB / ((performance.now() - began) / 1000)
    const here = delay.stop()
    child.send('stop')
    const [there] = await once(child, 'message')
    const figures = [here.p99, here.max, there.p99, there.max].map((ms) => ms.toFixed(1))
    rows.push([name, rate.toFixed(0), ...figures])
    const closed = streams.map((stream) => once(stream, 'close'))
    for (const stream of streams) stream.destroy()
    await Promise.all(closed)
  }
  const socket = async () => {
    const stream = connectSocket(`${simulated.path}/bench`)
    await once(stream, 'connect')
    return stream
  }
  await measure('nothing', [])
  for (const [name, open] of [
    ['streams', () => connect(xen, { domid: SERVER, name: 'bench' })],
    ['Unix sockets', socket],
  ])
    for (const count of STREAMS) {
      const all = []
      for (let i = 0; i < count; i++) all.push(await open())
      await measure(`${count} ${name}`, all)
    }
  child.send('end')
  await once(child, 'exit')
  await xen.close()
  await simulated.close()
  const heads = ['while', 'MiB/s', 'reader p99', 'longest', 'writer p99', 'longest']
  table('Delay of the main threads, in milliseconds', heads, rows)
}

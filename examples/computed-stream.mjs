// A stream of computed data: the threads of a pool compute pages (checksummed-noise.mjs), and the main thread only hands them
// to a stream, whose other end is in another domain. While some pages are on their way, the next are computed.
//
//   node examples/computed-stream.mjs
//
// Here both are domains of a simulated Xen, in two processes. On a real one leave `on` out.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen } from 'xen-grants/vchan'

const [SOURCE, SINK] = [3, 5]
/** Pages of each grant of the pool, how many grants there are, and how often they are sent. */
const [PAGES, GRANTS, ROUNDS] = [256, 3, 12]
const [, , path] = process.argv

async function source(simulated) {
  const xen = await Xen.open({ on: simulated.domain(SOURCE) })
  const server = await xen.grants()
  // For the domain itself: the pages are where the threads compute, and the stream copies from there.
  const pool = await server.pool({ domid: SOURCE, pages: PAGES, grants: GRANTS })
  const service = await listen(xen, { name: 'noise', domids: [SINK], window: 1 << 20 })
  for await (const socket of service) {
    const fill = async (round) => {
      const grant = await pool.acquire()
      await grant.run(new URL('./checksummed-noise.mjs', import.meta.url), { args: { seed: round } })
      return grant
    }
    // Two are computed while the one before is sent.
    const ready = [fill(0), fill(1)]
    for (let round = 0; round < ROUNDS; round++) {
      const grant = await ready.shift()
      if (round + 2 < ROUNDS) ready.push(fill(round + 2))
      // The pages are used again when the stream has taken them.
      await new Promise((resolve, reject) => {
        socket.write(grant.bytes, (error) => (error ? reject(error) : resolve()))
      })
      pool.release(grant)
    }
    socket.end()
    break
  }
  await service.close()
  await pool.close()
  await xen.close()
}

async function sink(simulated) {
  const xen = await Xen.open({ on: simulated.domain(SINK) })
  const socket = await connect(xen, { domid: SOURCE, name: 'noise' })
  const hash = createHash('sha256')
  for await (const chunk of socket) hash.update(chunk)
  console.log(`${socket.bytesRead >> 20} MiB received, SHA-256 ${hash.digest('hex')}`)
  await xen.close()
}

if (path === undefined) {
  const simulated = await SimulatedXen.create({ limit: 4096 })
  const ended = once(fork(import.meta.filename, [simulated.path]), 'exit')
  await sink(simulated)
  await ended
  await simulated.close()
} else {
  const simulated = await SimulatedXen.attach(path)
  await source(simulated)
  await simulated.close()
}

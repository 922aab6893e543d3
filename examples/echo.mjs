// A service in one domain and its client in another, over a vchan: a stream of bytes in shared memory. What the client
// sends comes back in capitals. Both are processes of their own.
//
//   node examples/echo.mjs [--real]
//
// Without --real it runs against the simulated Xen, as domains 3 and 5; with it, in dom0 or a guest on Xen, with itself.
// Either end may be a program on libxenvchan instead.
import { fork } from 'node:child_process'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { Vchan } from 'xen-grants/vchan'

const real = process.argv.includes('--real')
const [role, place] = process.env.ECHO_ROLE?.split(' ') ?? ['client']

const simulated = real ? undefined : place ? await SimulatedXen.attach(place) : await SimulatedXen.create()
const xen = await Xen.open(simulated ? { on: simulated.domain(role === 'client' ? 5 : 3) } : {})
const self = await (await xen.store()).domid()
const [server, client] = real ? [self, self] : [3, 5]
const path = `data/vchan/${client}/echo`

if (role === 'server') {
  const stream = await Vchan.serve(xen, { domid: client, path, receiveBytes: 65536, sendBytes: 65536 })
  const louder = new Transform({
    transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()),
  })
  await pipeline(stream, louder, stream)
} else {
  const child = fork(import.meta.filename, process.argv.slice(2), {
    env: { ...process.env, ECHO_ROLE: `server ${simulated?.path ?? ''}`.trim() },
  })
  const stream = await Vchan.connect(xen, { domid: server, path, timeout: 30_000 })
  stream.setEncoding('utf8')
  stream.write('memory that two domains share\n')
  for await (const text of stream) {
    process.stdout.write(`domain ${server} says: ${text}`)
    // There is no half-open state: the last one to speak ends it.
    if (text.endsWith('\n')) break
  }
  await new Promise((resolve) => child.once('exit', resolve))
}
await xen.close()
await simulated?.close()

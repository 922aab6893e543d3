// A file from one domain to another, as a pipeline. The SHA-256 comes first, so that the receiver knows whether it has all of
// it: a sender that dies looks like the end of the file. `xen-grants send` and `receive` do more.
//
//   node examples/file-sender.mjs [file]
//
// Here both are domains of a simulated Xen, in two processes. On a real one leave `on` out.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen } from 'xen-grants/vchan'

const [SENDER, RECEIVER] = [3, 5]
const [, , file = import.meta.filename, path] = process.argv

async function sha256(name) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(name), hash)
  return hash.digest('hex')
}

async function sender(simulated) {
  const xen = await Xen.open({ on: simulated.domain(SENDER) })
  const service = await listen(xen, { name: 'file', domids: [RECEIVER], window: 1 << 20 })
  for await (const socket of service) {
    socket.write(await sha256(file))
    // Closes the connection when the receiver has taken everything.
    await pipeline(createReadStream(file), socket)
    break
  }
  await service.close()
  await xen.close()
}

async function receiver(simulated) {
  const folder = await mkdtemp(join(tmpdir(), 'received-'))
  const copy = join(folder, 'file')
  const xen = await Xen.open({ on: simulated.domain(RECEIVER) })
  const socket = await connect(xen, { domid: SENDER, name: 'file' })
  let expected = ''
  await pipeline(
    socket,
    async function* (chunks) {
      for await (const chunk of chunks) {
        const missing = 64 - expected.length
        expected += chunk.toString('latin1', 0, missing)
        if (chunk.length > missing) yield chunk.subarray(missing)
      }
    },
    createWriteStream(copy),
  )
  const found = await sha256(copy)
  console.log(`${socket.bytesRead - 64} bytes, ${found === expected ? 'the same' : 'ANOTHER'} SHA-256`)
  await xen.close()
  await rm(folder, { recursive: true })
}

if (path === undefined) {
  const simulated = await SimulatedXen.create({ limit: 2048 })
  const ended = once(fork(import.meta.filename, [file, simulated.path]), 'exit')
  await receiver(simulated)
  await ended
  await simulated.close()
} else {
  const simulated = await SimulatedXen.attach(path)
  await sender(simulated)
  await simulated.close()
}

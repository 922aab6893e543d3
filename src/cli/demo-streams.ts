import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect as connectSocket, createServer, type Server } from 'node:net'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { type Duplex, Writable } from 'node:stream'
import type { Xen } from '../index.js'
import { receiveFile } from '../net/transfer/receive-file.js'
import { sendFile } from '../net/transfer/send-file.js'
import { connect, listen, type Service } from '../vchan.js'
import type { StreamVerdict } from './demo-peer-process.js'
import { openSource } from './file-source.js'

/** How long the peer waits for the service, in milliseconds: to open what it needs takes long on a slow machine. */
const PATIENCE = 120_000
/** What a client asks for, with its first byte. */
const FILE = 1
const BULK = 2
const BLOCK = 64 << 10
const WINDOW = 1 << 20

interface Served {
  name: string
  client: number
  /** Path of the file that clients may ask for. */
  file: string
  /** Path of a Unix socket. */
  socket: string
  /** How many, for those who ask for bytes. */
  bytes: number
}

/** Serves the peer, as a service of this domain and over a Unix socket. Closing ends both. */
export async function serveStreams(
  xen: Xen,
  { name, client, file, socket, bytes }: Served,
): Promise<AsyncDisposable> {
  const give = (stream: Duplex): void => {
    // Whoever receives it tells what went wrong.
    serve(stream, file, bytes).catch((error: Error) => stream.destroy(error))
  }
  const service: Service = await listen(xen, { name, domids: [client], window: WINDOW }, give)
  const sockets: Server = createServer(give)
  await once(sockets.listen(socket), 'listening')
  return {
    [Symbol.asyncDispose]: async () => {
      sockets.close()
      await service.close({ force: true })
    },
  }
}

async function serve(stream: Duplex, file: string, bytes: number): Promise<void> {
  stream.on('error', () => {})
  const [asked] = (await once(stream, 'data')) as [Buffer]
  if (asked[0] === FILE) {
    await using source = await openSource(file)
    await sendFile(stream, source, { hash: true })
  } else {
    const block = Buffer.alloc(BLOCK, 'bytes')
    for (let left = bytes; left > 0; left -= BLOCK) if (!stream.write(block)) await once(stream, 'drain')
  }
  stream.end()
}

/** The peer's side. */
export async function receiveAll(
  xen: Xen,
  { server, name, socket, bytes }: { server: number; name: string; socket: string; bytes: number },
): Promise<StreamVerdict> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const open = (): Promise<Duplex> => connect(xen, { domid: server, name, timeout: PATIENCE })
  const file = await open()
  file.write(Buffer.of(FILE))
  delay.enable()
  const began = performance.now()
  const received = await receiveFile(file, { open: async () => nowhere() })
  const verdict = { ...received, milliseconds: performance.now() - began }
  const stream = await bulk(await open(), bytes)
  delay.disable()
  return {
    file: verdict,
    stream,
    socket: await bulk(connectSocket(socket), bytes),
    longestDelay: delay.max / 1e6,
  }
}

function nowhere() {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  return { output, flush: async () => void output.end(), commit: async () => {} }
}

async function bulk(stream: Duplex, bytes: number): Promise<{ milliseconds: number }> {
  let left = bytes
  stream.on('data', (chunk: Buffer) => {
    left -= chunk.length
  })
  stream.write(Buffer.of(BULK))
  const began = performance.now()
  await once(stream, 'end')
  if (left !== 0) throw new Error(`a stream ended ${left} bytes before it was to`)
  const milliseconds = performance.now() - began
  stream.destroy()
  return { milliseconds }
}

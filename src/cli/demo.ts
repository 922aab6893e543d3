import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import process from 'node:process'
import { GrantServer, Xen } from '../index.js'
import { type Counters, SimulatedXen } from '../simulated/index.js'
import { fillWithBar, grantRows, type Row, rate, sha256 } from './demo-grants.js'
import { DemoPeer, type PeerPlace } from './demo-peer-process.js'
import { serveStreams } from './demo-streams.js'

const PAGE_SIZE = 4096
/** The simulation's peer; on Xen it is this domain itself, which is allowed to map its own grants. */
const SIMULATED_DOMID = 7
/** Through a stream and a socket, to compare them. */
const BULK_BYTES = 128 << 20
/** For two connections with the largest window, and what else there is. */
const STREAM_PAGES = 2048
/** How long closed connections may still be counted, in milliseconds. */
const CLOSED_GRACE = 1000

export interface DemoCommand {
  file: string
  domid: number
  device: string
  threads?: number
  corrupt?: boolean
}

/** The package's main jobs from end to end, on the device where there is one, on a simulation elsewhere. */
export async function demo(command: DemoCommand): Promise<void> {
  const { file, domid, device } = command
  const { size } = await stat(file)
  if (size === 0) throw new Error(`${file} is empty: there is nothing to share`)
  const room = 2 * Math.ceil(size / PAGE_SIZE) + STREAM_PAGES
  const real = existsSync(device)
  await using xen = real ? undefined : await SimulatedXen.create({ limit: room, tableCapacity: room })
  say(
    real
      ? `Running on Xen, with ${device}.`
      : `There is no ${device} here: simulating Xen in this machine's memory.`,
  )
  const place: PeerPlace = xen ? { simulated: xen.path, domid: SIMULATED_DOMID } : { domid }
  const self = xen ? 0 : domid
  const expected = sha256(file)
  expected.catch(() => {})
  let good: boolean
  {
    await using peer = await DemoPeer.start(place)
    good = await grants(xen ?? device, peer, place.domid, self, { ...command, size, expected })
    if (good) good = await streams(xen, peer, place.domid, self, { file, size, expected })
  }
  if (!good) process.exitCode = 1
  if (xen) await givenBack(xen)
}

interface Sent {
  file: string
  size: number
  /** SHA-256 of the file. */
  expected: Promise<string>
}

/** @returns whether the peer sees the file */
async function grants(
  device: SimulatedXen | string,
  peer: DemoPeer,
  domid: number,
  self: number,
  { file, size, expected, threads, corrupt }: Sent & Pick<DemoCommand, 'threads' | 'corrupt'>,
): Promise<boolean> {
  await using server = await GrantServer.open({ device, ...(threads && { fillers: { threads } }) })
  await using grant = await server.share({ domid, pages: Math.ceil(size / PAGE_SIZE) })
  const filled = await fillWithBar(grant, file, size)
  if (corrupt) grant.bytes[size >> 1]! ^= 1
  const [verdict, hash] = await Promise.all([peer.check(self, grant.refs, size), expected])
  report('Pages, filled in parallel and checked by a peer:', grantRows(grant, size, filled, verdict, hash))
  const good = verdict.sha256 === hash
  if (!good) say('FAILED: what the peer sees is not the file.')
  return good
}

/** @returns whether the file has arrived */
async function streams(
  simulated: SimulatedXen | undefined,
  peer: DemoPeer,
  client: number,
  server: number,
  { file, size, expected }: Sent,
): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'xen-grants-demo-'))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  try {
    const socket = join(folder, 'socket')
    const served = { name: 'demo', socket, bytes: BULK_BYTES }
    await using xen = await Xen.open(simulated && { on: simulated.domain(server) })
    await using _service = await serveStreams(xen, { ...served, client, file })
    delay.enable()
    const verdict = await peer.stream({ ...served, server })
    delay.disable()
    const good = verdict.file.sha256 === (await expected)
    report('A service, and the same peer as its client:', [
      ['file', `${size} bytes with SHA-256 at both ends, ${rate(size, verdict.file.milliseconds)}`],
      ['verdict', good ? 'identical to the file' : `DIFFERENT: ${verdict.file.sha256}`],
      [
        'stream',
        `${rate(BULK_BYTES, verdict.stream.milliseconds)} from memory, a Unix socket ${rate(BULK_BYTES, verdict.socket.milliseconds)}`,
      ],
      [
        'event loop',
        `held for ${(delay.max / 1e6).toFixed(1)} ms at the longest, ${verdict.longestDelay.toFixed(1)} in the peer`,
      ],
    ])
    return good
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function givenBack(simulated: SimulatedXen): Promise<void> {
  const began = performance.now()
  let left: [name: string, count: number][]
  do {
    const { tableUsed, ...rest }: Counters = await simulated.counters()
    left = Object.entries(rest).filter(([, count]) => count !== 0)
    // That a connection has been closed comes on another socket.
  } while (left.length > 0 && performance.now() - began < CLOSED_GRACE)
  if (left.length === 0)
    return say('Everything has been given back: no page, mapping, port or watch is left.')
  process.exitCode = 1
  say(`FAILED: there is left ${left.map(([name, count]) => `${count} ${name}`).join(', ')}.`)
}

function report(title: string, rows: Row[]): void {
  say(title)
  for (const [name, value] of rows) say(`  ${name.padEnd(12)}${value}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

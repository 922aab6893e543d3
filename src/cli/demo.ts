import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { SingleBar } from 'cli-progress'
import { type Grant, GrantServer } from '../index.js'
import { SimulatedXen } from '../simulated/index.js'
import { askPeer, type PeerPlace, type PeerVerdict } from './demo-peer-process.js'

const PAGE_SIZE = 4096
/** The simulation's peer; on Xen it is this domain itself, which is allowed to map its own grants. */
const SIMULATED_DOMID = 7

export interface DemoCommand {
  file: string
  domid: number
  device: string
  threads?: number
  corrupt?: boolean
}

/** The package's main job from end to end, on the device where there is one, on a simulation elsewhere. */
export async function demo({ file, domid, device, threads, corrupt }: DemoCommand): Promise<void> {
  const { size } = await stat(file)
  if (size === 0) throw new Error(`${file} is empty: there is nothing to share`)
  const pages = Math.ceil(size / PAGE_SIZE)
  const real = existsSync(device)
  await using xen = real
    ? undefined
    : await SimulatedXen.create({ limit: 2 * pages + 1024, tableCapacity: 2 * pages + 1024 })
  say(
    real
      ? `Running on Xen, with ${device}.`
      : `There is no ${device} here: simulating Xen in this machine's memory.`,
  )

  await using server = await GrantServer.open({
    device: xen ?? device,
    ...(threads && { fillers: { threads } }),
  })
  await using grant = await server.share({ domid: xen ? SIMULATED_DOMID : domid, pages })
  const filled = await fillWithBar(grant, file, size)
  if (corrupt) grant.bytes[size >> 1]! ^= 1

  const place: PeerPlace = xen ? { simulated: xen.path, domid: SIMULATED_DOMID } : { granter: domid }
  const [verdict, expected] = await Promise.all([askPeer(place, grant.refs, size), sha256(file)])
  report(grant, size, filled, verdict, expected)
  if (verdict.sha256 !== expected) {
    process.exitCode = 1
    say('FAILED: what the peer sees is not the file.')
  }
}

interface Filled {
  milliseconds: number
  slices: number
  longestDelay: number
}

async function fillWithBar(grant: Grant, file: string, size: number): Promise<Filled> {
  const bar = new SingleBar({
    format: 'filling {bar} {percentage}% | {mib}/{total_mib} MiB',
    hideCursor: true,
  })
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
  bar.start(size, 0, { mib: '0.0', total_mib: mib(size) })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  try {
    const { milliseconds, slices } = await grant.fill(
      { file },
      { onProgress: ({ bytes }) => bar.update(bytes, { mib: mib(bytes) }) },
    )
    delay.disable()
    return { milliseconds, slices, longestDelay: delay.max / 1e6 }
  } finally {
    bar.stop()
  }
}

function report(grant: Grant, size: number, filled: Filled, verdict: PeerVerdict, expected: string): void {
  const { refs } = grant
  const rows: [string, string][] = [
    ['pages', `${grant.pages} (${(size / 1e6).toFixed(1)} MB), read-only for domain ${grant.domid}`],
    ['references', `${refs[0]} … ${refs[refs.length - 1]}`],
    [
      'filled in',
      `${filled.milliseconds.toFixed(0)} ms, ${filled.slices} slices, ${rate(size, filled.milliseconds)}`,
    ],
    ['event loop', `held for ${filled.longestDelay.toFixed(1)} ms at the longest while filling`],
    [
      'peer',
      `process ${verdict.pid} mapped ${verdict.pages} pages, read them at ${rate(size, verdict.milliseconds)}`,
    ],
    ['SHA-256', verdict.sha256],
    [
      'verdict',
      verdict.sha256 === expected ? 'identical to the file' : `DIFFERENT from the file's ${expected}`,
    ],
  ]
  for (const [name, value] of rows) say(`  ${name.padEnd(12)}${value}`)
}

function rate(bytes: number, milliseconds: number): string {
  return `${(bytes / 1e6 / (milliseconds / 1000)).toFixed(0)} MB/s`
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

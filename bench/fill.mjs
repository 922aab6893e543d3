// Filling a grant from memory, from a SharedArrayBuffer and from a file, beside C (memcpy, pread with pthreads) and beside
// what a Node user would write instead. Candidates take turns, round by round.
// node bench/fill.mjs [largest size in MiB] [rounds]
import { mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GrantServer } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { copyAsync, copyInWorker } from './lib/alternatives.mjs'
import { compile, Rounds } from './lib/native.mjs'
import { report } from './lib/results.mjs'

const MiB = 1 << 20
const largest = Number(process.argv[2] ?? 1024)
const rounds = Number(process.argv[3] ?? 41)
const sizes = [1 / 16, 1, 16, 64, 256, 1024].filter((size) => size <= largest)
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-bench-'))
const binary = compile('fill')
const source = new Uint8Array(largest * MiB).fill(1)
const shared = new SharedArrayBuffer(largest * MiB)
new Uint8Array(shared).fill(1)
const file = join(folder, 'source')
writeFileSync(file, source)
const fd = openSync(file, 'r')

const pages = (largest * MiB) / 4096
const xen = await SimulatedXen.create({ limit: 4 * pages + 1024, tableCapacity: 4 * pages + 4096 })
const grants = {}
const servers = []
for (const threads of [1, 2]) {
  const server = await GrantServer.open({ device: xen, fillers: { threads } })
  servers.push(server)
  grants[threads] = await server.share({ domid: 7, pages })
  await grants[threads].fill({ byte: 1 })
}

async function timed(work) {
  const began = performance.now()
  await work()
  return (performance.now() - began) * 1000
}

/** The copy that is handed over is made before. */
function handOver(grant, size) {
  const own = source.slice(0, size)
  return timed(() => grant.fill(own, { transfer: true }))
}

/**
 * Runs the candidates in turn, another one first each time: who comes after whom decides what is in the caches.
 * @returns gigabytes per second by candidate
 */
async function compare(size, candidates) {
  const all = Object.entries(candidates)
  const samples = Object.fromEntries(all.map(([name]) => [name, []]))
  for (let round = -2; round < roundsOf(size); round++) {
    const first = (round + 2) % all.length
    for (const [name, run] of [...all.slice(first), ...all.slice(0, first)]) {
      const microseconds = await run()
      if (round >= 0) samples[name].push(size / 1000 / microseconds)
    }
  }
  return samples
}

/** Fewer of the large ones, which take long and vary less. */
function roundsOf(size) {
  return Math.max(5, Math.round(rounds / Math.max(1, size / (128 * MiB))))
}

const memory = {}
const files = {}
for (const mebibytes of sizes) {
  const size = Math.round(mebibytes * MiB)
  const label = size < MiB ? `${size / 1024} KiB` : `${mebibytes} MiB`
  for (const threads of [1, 2]) {
    const mapped = join(xen.path, 'memory')
    const c = new Rounds(binary, ['memory', threads, size, roundsOf(size) + 2, mapped])
    const grant = grants[threads]
    memory[`${label}, ${threads} thread${threads > 1 ? 's' : ''}`] = await compare(size, {
      'C memcpy': () => c.next(),
      'xen-grants, ArrayBuffer': () => timed(() => grant.fill(source.subarray(0, size))),
      'xen-grants, handed over': () => handOver(grant, size),
      'xen-grants, SharedArrayBuffer': () => timed(() => grant.fill(new Uint8Array(shared, 0, size))),
      ...(threads === 1 && {
        'set() on main': () => timed(() => grant.bytes.set(source.subarray(0, size))),
        'koffi memcpy.async': () => timed(() => copyAsync(grant.bytes, source, size)),
        'a worker per job': () => timed(() => copyInWorker(grant.bytes, source, size)),
      }),
    })
    c.end()
    const cFile = new Rounds(binary, ['file', threads, size, roundsOf(size) + 2, mapped, file])
    files[`${label}, ${threads} thread${threads > 1 ? 's' : ''}`] = await compare(size, {
      'C pread': () => cFile.next(),
      'xen-grants': () => timed(() => grant.fill({ file: fd, length: size })),
      ...(threads === 1 && { 'readSync on main': () => timed(() => readSync(fd, grant.bytes, 0, size, 0)) }),
    })
    cFile.end()
  }
}
for (const server of servers) await server.close()
await xen.close()
rmSync(folder, { recursive: true })

const unit = 'GB/s'
report('fill-memory', {
  title: 'Fill from memory',
  unit,
  lowerIsBetter: false,
  baseline: 'C memcpy',
  samples: memory,
})
report('fill-file', {
  title: 'Fill from a file in the page cache',
  unit,
  lowerIsBetter: false,
  baseline: 'C pread',
  samples: files,
})

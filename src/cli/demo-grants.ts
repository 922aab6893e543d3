import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pipeline } from 'node:stream/promises'
import { SingleBar } from 'cli-progress'
import type { Grant } from '../index.js'
import type { CheckVerdict } from './demo-peer-process.js'

/** A line of the report. */
export type Row = [name: string, value: string]

export interface Filled {
  milliseconds: number
  slices: number
  longestDelay: number
}

/** Fills a grant from a file, and shows how far that is on a terminal. */
export async function fillWithBar(grant: Grant, file: string, size: number): Promise<Filled> {
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

export function grantRows(
  grant: Grant,
  size: number,
  filled: Filled,
  verdict: CheckVerdict,
  expected: string,
): Row[] {
  const { refs } = grant
  return [
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
}

export function rate(bytes: number, milliseconds: number): string {
  return `${(bytes / 1e6 / (milliseconds / 1000)).toFixed(0)} MB/s`
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

import { spawn } from 'node:child_process'
import { seedOf } from '../agreement/seed.mjs'
import { type Finished, finished, node } from '../setup/process.js'
import { full } from '../setup/soak.js'

/** As many rounds as the soak run makes, or few enough for every run of the suite. */
export function rounds(few: number, many: number): number {
  return full ? many : few
}

/** How long a trial may take, in milliseconds. */
export const TIMEOUT = full ? 3_600_000 : 60_000

export const SEED = seedOf(process.env)

interface TrialOptions {
  /** Of node's. */
  flags?: string[]
  /** As with `ulimit -v`, in GiB. Default: none. */
  addressSpace?: number | undefined
}

/** Runs a fixture in a process of its own, which a mistake may end. */
export function trial(
  name: string,
  args: object,
  { flags = [], addressSpace }: TrialOptions = {},
): Promise<Finished> {
  const fixture = new URL(`./fixtures/${name}`, import.meta.url).pathname
  const words = [...flags, fixture, JSON.stringify(args)]
  if (addressSpace === undefined) return finished(node(...words))
  const limited = ['-c', 'ulimit -v "$0" && exec "$@"', String(addressSpace * 2 ** 20), process.execPath]
  return finished(spawn('sh', [...limited, ...words], { stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** How a process ends that has found nothing. */
export const FINE = { code: 0, signal: null, stderr: '' }

import { type Finished, finished, node } from '../setup/process.js'

/** XEN_GRANTS_TRIALS=full: as many rounds as the soak run makes. Otherwise few enough for every run of the suite. */
const full = process.env.XEN_GRANTS_TRIALS === 'full'

export function rounds(few: number, many: number): number {
  return full ? many : few
}

/** How long a trial may take, in milliseconds. */
export const TIMEOUT = full ? 3_600_000 : 60_000

export const SEED = Number(process.env.XEN_GRANTS_SEED ?? Date.now() % 2 ** 31)

/** Runs a fixture in a process of its own, which a mistake may end. Its flags first, then its name and arguments. */
export function trial(name: string, args: object, flags: string[] = []): Promise<Finished> {
  const fixture = new URL(`./fixtures/${name}`, import.meta.url).pathname
  return finished(node(...flags, fixture, JSON.stringify(args)))
}

/** How a process ends that has found nothing. */
export const FINE = { code: 0, signal: null, stderr: '' }

import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { untilAborted } from '../../abort.js'
import { interruptible } from '../interrupt.js'
import { findSocket, LookedAt } from './looked-at.js'
import { type Rates, ratesBetween } from './rates.js'
import type { Seen } from './received.js'
import { Screen } from './screen.js'
import { table } from './table.js'

export interface TopOptions {
  socket?: string
  json?: boolean
  /** Seconds. */
  interval: number
  count?: number
}

/** `xen-grants top`: what a process that has opened a Monitor does, again and again on a terminal, else once. */
export async function top(pid: number | undefined, options: TopOptions): Promise<void> {
  using interruption = interruptible()
  using other = await LookedAt.open(options.socket ?? (await findSocket(pid)))
  const { json, count, interval } = options
  const full = !json && count === undefined && process.stdout.isTTY
  try {
    if (full) await fill(other, interval, interruption.signal)
    else await print(other, interval, interruption.signal, json ? printJson : printTable, count ?? 1)
  } catch (error) {
    throw interruption.signal.aborted ? interruption.signal.reason : error
  }
}

async function fill(other: LookedAt, interval: number, interrupted: AbortSignal): Promise<void> {
  const quit = new AbortController()
  const signal = AbortSignal.any([interrupted, quit.signal])
  using screen = new Screen(() => quit.abort())
  try {
    for await (const { seen, rates } of snapshots(other, interval, signal))
      screen.show([...table(seen, rates), '', 'q or ^C ends this'])
  } catch (error) {
    if (!quit.signal.aborted) throw error
  }
}

type Print = (seen: Seen, rates: Rates | undefined) => void

/** The first is not printed: it has no rates. */
async function print(
  other: LookedAt,
  interval: number,
  signal: AbortSignal,
  one: Print,
  count: number,
): Promise<void> {
  let printed = 0
  for await (const { seen, rates } of snapshots(other, interval, signal)) {
    if (rates) one(seen, rates)
    if (rates && ++printed >= count) return
  }
}

/** Rates are between a snapshot and the one before. Never ends by itself. */
async function* snapshots(
  other: LookedAt,
  interval: number,
  signal: AbortSignal,
): AsyncGenerator<{ seen: Seen; rates: Rates | undefined }, never> {
  let earlier: Seen | undefined
  for (;;) {
    const seen = await untilAborted(other.ask(), signal)
    if (seen === undefined) throw new Error('the process has ended, or has closed its Monitor')
    yield { seen, rates: ratesBetween(earlier, seen) }
    earlier = seen
    await delay(interval * 1000, undefined, { signal })
  }
}

function printTable(seen: Seen, rates: Rates | undefined): void {
  process.stdout.write(`${table(seen, rates).join('\n')}\n`)
}

/** One object a line, in ASCII: text of other processes is in it. */
function printJson(seen: Seen, rates: Rates | undefined): void {
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Map ? Object.fromEntries(value) : value
  process.stdout.write(`${JSON.stringify({ ...seen, rates }, plain)}\n`)
}

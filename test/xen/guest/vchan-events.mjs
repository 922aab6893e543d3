import { readFileSync } from 'node:fs'

/**
 * Events that have arrived at the ports that programs of this domain have open, by the kernel's count of interrupts: one for
 * each that found its port unmasked. What peers/vchan_events.h counts too.
 */
export function eventsSoFar() {
  return readFileSync('/proc/interrupts', 'utf8')
    .split('\n')
    .filter((line) => line.includes('evtchn:'))
    .flatMap((line) => /:((?:\s+\d+)+)/.exec(line)?.[1].trim().split(/\s+/) ?? [])
    .reduce((sum, count) => sum + Number(count), 0)
}

// How much of the machine others used while a benchmark ran: what it measured then is theirs as well.
import { readdirSync, readFileSync } from 'node:fs'

/** Part of all processors that others may have used for results to be kept. */
const MOST = 0.1

const began = machine()

/** Ticks of all processors since the boot, and those in which they were not idle. Stolen ones are those of other machines. */
function machine() {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/)
  // Guests' ticks are among user's already.
  const ticks = fields.slice(0, 8).map(Number)
  const all = ticks.reduce((sum, each) => sum + each, 0)
  const [, , , idle, waiting] = ticks
  return { all, busy: all - idle - waiting }
}

/** Ticks of this process and of all that it has started, those that have ended included. */
function own() {
  const processes = new Map()
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      // After the name, which may have spaces: state, parent, …, and from the 12th on utime, stime, cutime, cstime.
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      const ticks = fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0)
      processes.set(Number(id), { parent: Number(fields[1]), ticks })
    } catch {
      // It has ended.
    }
  }
  const ours = (id) => id === process.pid || (processes.has(id) && ours(processes.get(id).parent))
  return [...processes].filter(([id]) => ours(id)).reduce((sum, [, { ticks }]) => sum + ticks, 0)
}

/** @returns the part of all processors, 0 to 1, that others have used since this was imported, and whether that is little enough */
export function quietness() {
  const now = machine()
  const others = Math.max(0, now.busy - began.busy - own()) / Math.max(1, now.all - began.all)
  return { others, quiet: others <= MOST }
}

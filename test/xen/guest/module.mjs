import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const LIMIT = '/sys/module/xen_gntalloc/parameters/limit'
const FREE_PER_ITERATION = '/sys/module/grant_table/parameters/free_per_iteration'

/** Takes the driver out and puts it back with its counters at zero. Refused while any file or mapping of it is left. */
export function reloadGntalloc() {
  const file = readdirSync('/modules').find((name) => name.endsWith('-xen-gntalloc.ko'))
  execFileSync('rmmod', ['xen_gntalloc'], { stdio: 'pipe' })
  execFileSync('insmod', [`/modules/${file}`], { stdio: 'pipe' })
}

/** Pages of the limit that a server keeps for itself while it is open, see docs/enospc.md. */
export const RESERVE = 4

/** What its default budget leaves for status pages, at the driver's default limit. */
export const STATUS_PAGES = 16

export function limit() {
  return Number(readFileSync(LIMIT, 'utf8'))
}

/** Sets the driver's limit until the test ends. */
export function setLimit(context, value) {
  setUntilEnd(context, LIMIT, value)
}

/** How many deferred pages the kernel looks at per second, until the test ends. 0 means all. */
export function setFreePerIteration(context, value) {
  setUntilEnd(context, FREE_PER_ITERATION, value)
}

function setUntilEnd(context, file, value) {
  const before = readFileSync(file, 'utf8')
  context.defer(() => writeFileSync(file, before))
  writeFileSync(file, String(value))
}

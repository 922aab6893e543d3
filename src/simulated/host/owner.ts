import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { files } from '../wire/protocol.js'

/**
 * Who a directory belongs to: the process, and what tells it from a later one with the same number. Numbers mean
 * something only within one pid namespace (containers may share /dev/shm), so that is noted too.
 */
interface Owner {
  pid: number
  /** Clock ticks after boot, from /proc. */
  started: string
  namespace: string
}

export function ownerText(): string {
  const started = startOf(process.pid)
  if (started === undefined) throw new Error('/proc does not show this process: is /proc mounted?')
  return JSON.stringify({ pid: process.pid, started, namespace: pidNamespace() } satisfies Owner)
}

/** Making one takes less than a millisecond. */
const LONG_AGO = 60_000

/** Whether whoever began to make a directory, in the folder where there are no others, has ended before it had an owner. */
export function isHalfMade(directory: string): boolean {
  try {
    const { mtimeMs } = statSync(directory)
    return readOwner(directory) === undefined && Date.now() - mtimeMs > LONG_AGO
  } catch (error) {
    if (isSystemError(error)) return false
    throw error
  }
}

/**
 * Whether the process that made a directory is known to have ended. A directory without an owner is not ours to judge:
 * it is somebody else's, or just being made.
 */
export function isAbandoned(directory: string): boolean {
  const owner = readOwner(directory)
  if (owner === undefined || owner.namespace !== pidNamespace()) return false
  return startOf(owner.pid) !== owner.started
}

function readOwner(directory: string): Owner | undefined {
  try {
    const owner: Partial<Owner> | null = JSON.parse(readFileSync(join(directory, files.owner), 'utf8'))
    return typeof owner?.pid === 'number' && typeof owner.started === 'string' ? (owner as Owner) : undefined
  } catch (error) {
    if (error instanceof SyntaxError || isSystemError(error)) return undefined
    throw error
  }
}

/** When a living process started. @returns undefined if there is none, or only what its parent has not reaped yet */
function startOf(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (isSystemError(error)) return undefined
    throw error
  }
  // The second field is the program's name in parentheses and may hold anything; field 3 follows the last of them.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  return state === 'Z' || state === 'X' ? undefined : fields[22 - 3]
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid')
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

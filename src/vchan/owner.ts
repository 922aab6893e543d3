import { readFileSync, readlinkSync, statSync } from 'node:fs'
import process from 'node:process'

// Which thread of this domain something belongs to, in a form that a later process can judge. A number of a process is used
// again, so the time at which it was started belongs to it; and numbers mean something within one pid namespace only, times
// within one time namespace. See proc(5).

/** `<pid namespace>-<time namespace> <pid> <thread> <start time>` */
const FORM = /^(\d+-\d+) ([1-9]\d*) ([1-9]\d*) (\d+)$/

/** This thread. @returns empty when /proc does not say: nobody can judge that */
export function ownerHere(): string {
  try {
    const namespaces = namespacesHere()
    const [pid, thread] = readlinkSync('/proc/thread-self').split('/task/')
    // Otherwise /proc is that of another pid namespace.
    if (namespaces === undefined || pid !== String(process.pid)) return ''
    const started = startOf(pid, thread!)
    return started === undefined ? '' : `${namespaces} ${pid} ${thread} ${started}`
  } catch {
    return ''
  }
}

/**
 * Whether a thread has certainly ended.
 * @param owner as `ownerHere` once said, perhaps in another process
 * @returns false also when that cannot be known here; `undefined` when it can never be
 */
export function ownerHasEnded(owner: string): boolean | undefined {
  const [, namespaces, pid, thread, started] = FORM.exec(owner) ?? []
  if (namespaces === undefined) return undefined
  try {
    if (namespaces !== namespacesHere() || readlinkSync('/proc/self') !== String(process.pid))
      return undefined
  } catch {
    return undefined
  }
  if (!exists(Number(pid))) return true
  try {
    return startOf(pid!, thread!) !== started
  } catch {
    // Either its thread has ended, or /proc is mounted so that it hides processes of other users (hidepid).
    return isVisible(pid!)
  }
}

function namespacesHere(): string | undefined {
  const [pid, time] = ['pid', 'time'].map((kind) => {
    // Linux before 5.6 has no time namespaces.
    return statSync(`/proc/self/ns/${kind}`, { throwIfNoEntry: false })?.ino ?? 0
  })
  return pid === 0 ? undefined : `${pid}-${time}`
}

/** @returns undefined of one that has ended, but for its parent's asking. @throws when there is none, or it is hidden */
function startOf(pid: string, thread: string): string | undefined {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1')
  // The name, in parentheses, may have anything in it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return /[ZX]/.test(fields[0]!) ? undefined : fields[19]
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function isVisible(pid: string): boolean {
  return statSync(`/proc/${pid}/task`, { throwIfNoEntry: false }) !== undefined
}

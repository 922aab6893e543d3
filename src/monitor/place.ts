import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** Where processes of this user put their sockets: the folder that a login session has for such things, or one of ours. */
export function monitorFolder(): string {
  const runtime = process.env.XDG_RUNTIME_DIR
  return runtime
    ? join(runtime, 'xen-grants')
    : join(tmpdir(), `xen-grants-monitor-${process.getuid?.() ?? 0}`)
}

export function newSocketName(): string {
  return `${process.pid}-${randomBytes(4).toString('hex')}.sock`
}

/** @returns the process whose socket this is; undefined: it is none of these */
export function pidOf(name: string): number | undefined {
  const pid = /^([1-9]\d{0,9})-[0-9a-f]{8}\.sock$/.exec(name)?.[1]
  return pid === undefined ? undefined : Number(pid)
}

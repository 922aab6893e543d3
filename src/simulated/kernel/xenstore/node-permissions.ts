import { cInteger } from './payload.js'

/** One entry of a node's list. The first names the owner, and says what those may who are not in the list. */
export interface Permission {
  readonly domid: number
  readonly read: boolean
  readonly write: boolean
  /** It names a domain that is older or younger than the one that has this number now, and does not count. */
  readonly ignored: boolean
}

/** Who asks, for what permissions are concerned. */
export interface Identity {
  readonly domid: number
  /** Domain 0, and programs on the socket next to xenstored: they may do everything. */
  readonly privileged: boolean
  /** The domain whose rights it has too, since SET_TARGET. */
  readonly target: number | undefined
}

export const Rights = { none: 0, read: 1, write: 2, owner: 4, all: 7 } as const

export function rightsOf(permissions: readonly Permission[], who: Identity): number {
  const isMe = ({ domid }: Permission) => domid === who.domid || domid === who.target
  const first = permissions[0]!
  if (who.privileged || isMe(first)) return Rights.all
  const { read, write } = permissions.find((entry, i) => i > 0 && !entry.ignored && isMe(entry)) ?? first
  return (read ? Rights.read : 0) | (write ? Rights.write : 0)
}

const LETTERS: Record<string, readonly [read: boolean, write: boolean]> = {
  n: [false, false],
  r: [true, false],
  w: [false, true],
  b: [true, true],
}

/** As xenstored reads it: a letter, then whatever `strtol` takes. @returns undefined if that is not what it is */
export function parsePermission(text: string): Permission | undefined {
  const access = Object.hasOwn(LETTERS, text.charAt(0)) ? LETTERS[text.charAt(0)] : undefined
  const domid = cInteger(text.slice(1))
  if (access === undefined || domid === undefined) return undefined
  return { domid, read: access[0], write: access[1], ignored: false }
}

/** A domid beyond what an int of C holds is shown as one. */
export function formatPermission({ domid, read, write }: Permission): string {
  return `${read ? (write ? 'b' : 'r') : write ? 'w' : 'n'}${domid | 0}`
}

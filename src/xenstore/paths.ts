import { DOMID_FIRST_RESERVED } from '../abi.js'
import { checkInteger, checkString, invalidArgValue } from '../arguments.js'

/** One or more names with a single `/` between them and before the first, or not: or the root. */
const NODE = /^(?:\/|\/?[A-Za-z0-9\-_@]+(?:\/[A-Za-z0-9\-_@]+)*)$/
/** Not counted towards the length of a path. */
const OF_A_DOMAIN = /^\/local\/domain\/[0-9]{1,5}\//
/** XENSTORE_REL_PATH_MAX, which xenstored applies to what is below a domain's own directory, and to any other path too. */
const MAX_PATH = 2048

const RULE =
  'must be a path of xenstore: names of A-Z a-z 0-9 - _ @ with single slashes between them, none at the end, at most 2048 bytes'

/** Of a real domain: those above mean something else (Xen `public/xen.h`). */
export const MAX_DOMID = DOMID_FIRST_RESERVED - 1

/** A node: absolute, or relative to the caller's own domain. @throws TypeError */
export function checkPath(path: unknown): asserts path is string {
  checkString('path', path)
  if (path.startsWith('@'))
    throw invalidArgValue('path', 'must be a node: names with @ can only be watched', path)
  checkName(path)
}

/** A node, or one of the names that begin with @: they have watches and permissions only. @throws TypeError */
export function checkWatchPath(path: unknown): asserts path is string {
  checkString('path', path)
  checkName(path)
}

function checkName(path: string): void {
  if (!NODE.test(path)) throw invalidArgValue('path', RULE, path)
  if (path.length <= MAX_PATH) return
  const prefix = OF_A_DOMAIN.exec(path)?.[0].length ?? 0
  if (path.length - prefix > MAX_PATH) throw invalidArgValue('path', RULE, path)
}

/** @throws TypeError, RangeError */
export function checkDomid(name: string, domid: unknown): asserts domid is number {
  checkInteger(name, domid, 0, MAX_DOMID)
}

/** A node below another. */
export function childOf(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`
}

/** The folder of a domain, below which its relative paths are. */
export function domainPath(domid: number): string {
  return `/local/domain/${domid}`
}

/** Of an absolute path; that of `/` is `/`. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}

/** Of any path but `/`. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function childPath(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`
}

/** The path and those above it, up to `/`. */
export function* upwards(path: string): Generator<string> {
  for (let at = path; ; at = parentOf(at)) {
    yield at
    if (at === '/') return
  }
}

/** The lowest node that both are, or are below. @param other undefined for whatever the first is */
export function commonPath(path: string, other: string | undefined): string {
  if (other === undefined) return path
  for (const at of upwards(path)) if (at === '/' || other === at || other.startsWith(`${at}/`)) return at
  return '/'
}

/** The names of special events are not paths, and are not relative to anything. */
export function isSpecial(path: string): boolean {
  return path.startsWith('@')
}

/** @param base the folder of the domain that names it */
export function absolutePath(path: string, base: string): string {
  return path.startsWith('/') || isSpecial(path) ? path : `${base}/${path}`
}

const NODE_PATH = /^(\/|(\/[A-Za-z0-9\-_@]+)+)$/
/** C reads up to five characters as the domid. A sign is one of them, and `-` may be in a path. */
const DOMAIN_PREFIX = /^\/local\/domain\/(?=[^/]{1,5}\/)-?\d+\//

/** @param longest bytes; what names a domain's folder does not count */
export function isNodePath(path: string, longest: number): boolean {
  if (!NODE_PATH.test(path)) return false
  if (path.length <= longest) return true
  const [prefix] = DOMAIN_PREFIX.exec(path) ?? ['']
  return path.length <= longest + prefix.length
}

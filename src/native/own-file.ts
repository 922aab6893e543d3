import { existsSync } from 'node:fs'
import { fileURLToPath, URL } from 'node:url'
import { GrantError } from '../errors.js'

/**
 * A file of this package that a thread is started from, or that is imported by its URL.
 * @param from `import.meta.url` of the caller; a bundler that makes CommonJS leaves it undefined, and must not be met by an
 * error before anything is opened
 */
export function ownFile(path: string, from: string | undefined): URL {
  return new URL(path, from ?? 'file:///xen-grants/in/a/bundle/')
}

/** Why a file of this package cannot be used; undefined if it is there. */
export function leftBehind(file: URL): string | undefined {
  const path = fileURLToPath(file)
  if (existsSync(path)) return undefined
  return `${path} is not there. A bundler has left it behind: keep xen-grants out of the bundle (esbuild --external:xen-grants)`
}

/** @throws GrantError ERR_GRANTS_UNSUPPORTED when a bundler has left the file behind */
export async function importOwn(href: string): Promise<unknown> {
  try {
    return await import(href)
  } catch (cause) {
    const why = href.startsWith('file:') ? leftBehind(new URL(href)) : undefined
    if (why === undefined) throw cause
    throw new GrantError('ERR_GRANTS_UNSUPPORTED', `a part of xen-grants could not be loaded: ${why}`, {
      cause,
    })
  }
}

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository, whatever the current directory is. */
export const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..')
export const harness = join(repository, 'test/xen')
export const cache = join(repository, '.cache/xen')
/** Where `fetch.mjs` unpacks packages that must not be installed on the host. */
export const unpacked = join(cache, 'root')
export const reports = join(repository, 'reports/xen')

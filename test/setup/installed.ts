import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The package as programs have it that tests start: the files that are packed, see `build.ts`; without them, as for
 * coverage, this folder. The classes in them are not those that tests import.
 */
export const installed = process.env.XEN_GRANTS_INSTALLED ?? root

/** The command `xen-grants`. */
export const main = join(installed, 'dist/src/cli/main.js')

/** A folder in which programs import that package by its name. */
export const users = installed === root ? join(root, '.cache') : join(installed, '../..')

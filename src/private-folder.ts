import { lstatSync, mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import process from 'node:process'
import { systemCallError } from './errors.js'

/**
 * Makes a folder for all of this user's, mode 0700, unless it is there. Others can write next to it, hence the check.
 *
 * @param instead what to do when it is somebody else's
 * @throws GrantError EACCES: it is no folder, another user's, or others may enter it
 */
export function makePrivateFolder(folder: string, instead: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const found = lstatSync(folder)
  const uid = process.getuid?.() ?? 0
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return
  const what = `${folder} is not a private directory of this user: remove it, or ${instead}`
  throw systemCallError(constants.errno.EACCES, 'mkdir', what, { path: folder })
}

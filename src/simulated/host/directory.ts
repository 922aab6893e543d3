import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { accessSync, constants as fsConstants, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { outOfRange } from '../../arguments.js'
import { systemCallError } from '../../errors.js'
import { makePrivateFolder } from '../../private-folder.js'
import { files } from '../wire/protocol.js'
import { isAbandoned, isHalfMade, ownerText } from './owner.js'

/** sun_path of struct sockaddr_un, without its terminating zero. */
const MAX_SOCKET_PATH = 107

/** Directories made by this thread and not removed yet. */
const made = new Set<string>()

/**
 * Makes the directory of a simulated Xen, mode 0700, with its `owner`. Directories next to it whose processes have ended
 * without removing them are removed.
 *
 * @param path where; by default under a folder of this user's in memory
 * @returns its absolute path
 * @throws GrantError EADDRINUSE: it exists and is in use, or is not a simulated Xen's. RangeError: too long for a socket
 */
export function makeDirectory(path?: string): string {
  const directory = path === undefined ? join(userFolder(), uniqueName()) : resolve(path)
  const bytes = Buffer.byteLength(join(directory, files.socket))
  if (bytes > MAX_SOCKET_PATH)
    throw outOfRange(
      'options.path',
      `short: at most ${MAX_SOCKET_PATH} bytes with '/${files.socket}'`,
      directory,
    )
  if (path === undefined) removeAbandoned(join(directory, '..'))
  else if (isAbandoned(directory)) remove(directory)
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    const what = `cannot make ${directory}, which exists: it belongs to a living simulated Xen, or to something else`
    throw systemCallError(constants.errno.EADDRINUSE, 'mkdir', what, { path: directory, cause: error })
  }
  if (made.size === 0) watchEnd()
  made.add(directory)
  writeFileSync(join(directory, files.owner), ownerText(), { flag: 'wx', mode: 0o600 })
  return directory
}

export function removeDirectory(directory: string): void {
  made.delete(directory)
  if (made.size === 0) unwatchEnd()
  remove(directory)
}

function removeMade(): void {
  for (const directory of made) remove(directory)
}

/** What ends a process that does not listen to it, without its 'exit' event. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** By it a listener of ours is known, from whichever copy of this module. */
const OURS = Symbol.for('xen-grants.removes-directories')

function watchEnd(): void {
  process.on('exit', removeMade)
  // Before a listener that listens once has taken itself away.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal)
}

function unwatchEnd(): void {
  process.off('exit', removeMade)
  for (const signal of SIGNALS) process.off(signal, onSignal)
}

/** A program that listens to the signal decides itself what it does; any other ends, as if nobody listened. */
const onSignal = Object.assign(
  (signal: NodeJS.Signals): void => {
    if (!process.listeners(signal).every((listener) => OURS in listener)) return
    removeMade()
    process.off(signal, onSignal)
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  },
  { [OURS]: true },
)

function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}

function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const directory = join(folder, name)
    if (isAbandoned(directory) || isHalfMade(directory)) remove(directory)
  }
}

/** The folder for all of this user's, in memory if possible. */
function userFolder(): string {
  const folder = join(memoryFileSystem(), `xen-grants-${process.getuid?.() ?? 0}`)
  makePrivateFolder(folder, 'pass options.path')
  return folder
}

function memoryFileSystem(): string {
  try {
    accessSync('/dev/shm', fsConstants.W_OK)
    return '/dev/shm'
  } catch {
    // Not there or not for this user: a disk does too, if slower.
    return tmpdir()
  }
}

function uniqueName(): string {
  return `${process.pid}-${randomBytes(4).toString('hex')}`
}

import { access, constants, readFile, stat } from 'node:fs/promises'
import process from 'node:process'
import { otherRuntime } from '../native/runtime.js'
import { DeviceThread } from '../threads/device-thread.js'

/** What the checks look at, apart from the device itself. Replaced in tests. */
export interface System {
  platform: string
  arch: string
  nodeVersion: string
  /** What runs this program instead of Node. */
  otherRuntime?: string | undefined
  /** Starts a thread that calls the C library, and ends it. @returns why that failed; undefined if it did not */
  startThread(): Promise<string | undefined>
  /** Content of a small file without its last newline, or the errno name of why not. */
  read(path: string): Promise<{ text: string } | { code: string }>
  /** Whether the file is there, is a character device, and may be opened for reading and writing. */
  inspect(path: string): Promise<{ exists: boolean; characterDevice: boolean; accessible: boolean }>
}

export const thisSystem: System = {
  platform: process.platform,
  arch: process.arch,
  nodeVersion: process.versions.node,
  otherRuntime: otherRuntime(),
  async startThread() {
    try {
      // A cleaner with nothing to do ends by itself.
      await DeviceThread.start('cleaner.js', { orphans: [] }, undefined)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  },
  async read(path) {
    try {
      return { text: (await readFile(path, 'utf8')).trimEnd() }
    } catch (error) {
      return { code: codeOf(error) }
    }
  },
  async inspect(path) {
    try {
      const characterDevice = (await stat(path)).isCharacterDevice()
      const accessible = await access(path, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      )
      return { exists: true, characterDevice, accessible }
    } catch (error) {
      // A directory on the way that may not be searched hides whether the file exists: that is a matter of permission.
      return { exists: codeOf(error) !== 'ENOENT', characterDevice: false, accessible: false }
    }
  },
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error'
}

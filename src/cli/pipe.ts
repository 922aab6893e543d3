import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import process from 'node:process'
import { pause } from '../abort.js'

/** How often a pipe without a reader is looked at, in milliseconds. */
const LOOK = 50

// The thread that opens a pipe otherwise waits in the kernel for the other end, which nothing can interrupt, and the one that
// writes to it as well. Node polls its sockets, so a pipe as one is given up at any time.

/**
 * A named pipe to write to, when a program reads it.
 * @param highWaterMark in bytes
 * @throws the signal's reason; what opening it fails with
 */
export async function openPipeToWrite(
  path: string,
  highWaterMark: number,
  signal: AbortSignal,
): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
      const options = { fd, readable: false, writable: true, writableHighWaterMark: highWaterMark }
      return new Socket(options)
    } catch (error) {
      // Nobody reads it.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    if (tries === 0) process.stderr.write(`${path} is a pipe: waiting for a program that reads it\n`)
    await pause(LOOK, signal)
  }
}

/** A named pipe to read from. It ends when a program that has written to it has closed it, and not before one has come. */
export function openPipeToRead(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return new Socket({ fd, readable: true, writable: false })
}

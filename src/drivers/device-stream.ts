import { Socket } from 'node:net'
import { readingPipe, replaceDescriptor } from '../native/libc.js'

/**
 * Lets Node read from a device by itself, as from any stream. No API makes a stream of a device, but one of a pipe, and a
 * descriptor can be exchanged below it before it is first polled. koffi's own polling, the other way, ends the process
 * when its thread is terminated.
 *
 * @param fd of the device, opened with O_NONBLOCK; stays the caller's
 * @param read told how many bytes of `buffer` have come
 * @returns to be destroyed by the caller; a read that fails is its 'error'
 * @throws GrantError EMFILE
 */
export function deviceStream(fd: number, buffer: Uint8Array, read: (length: number) => void): Socket {
  const pipe = readingPipe()
  const callback = (length: number): boolean => {
    read(length)
    return true
  }
  // A constant, since the types do not know of `onread` here.
  const options = { fd: pipe, readable: true, writable: false, onread: { buffer, callback } }
  const socket = new Socket(options)
  try {
    replaceDescriptor(fd, pipe)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return socket
}

import { Buffer } from 'node:buffer'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import koffi from 'koffi'
import { systemCallError } from '../../errors.js'
import { connectionLost } from './connection-lost.js'

const libc = koffi.load(null)
const socketCall = libc.func('int socket(int domain, int type, int protocol)')
const connectCall = libc.func('int connect(int fd, void *address, uint32_t length)')
const closeCall = libc.func('int close(int fd)')
const pollCall = libc.func('int poll(void *fds, unsigned long count, int timeout)')
const sendCall = libc.func('int64_t send(int fd, void *buffer, size_t length, int flags)')
const recvCall = libc.func('int64_t recv(int fd, void *buffer, size_t length, int flags)')

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000
const POLLIN = 1
const POLLOUT = 4
/** `struct pollfd`: fd i32, events i16, revents i16. */
const POLLFD_SIZE = 8
const { EAGAIN, ECONNRESET, EINTR, EPIPE } = constants.errno

/**
 * A Unix stream socket for a thread that may block. The C library does the transfers; Node only owns the descriptor, so
 * that it is closed when the thread ends, however that happens.
 */
export class BlockingSocket {
  readonly #path: string
  readonly #fd: number
  readonly #owner: Socket
  readonly #poll = Buffer.alloc(POLLFD_SIZE)

  /** @throws GrantError ENOENT, ECONNREFUSED, … */
  constructor(path: string) {
    this.#path = path
    const fd: number = socketCall(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
    const socketErrno = koffi.errno()
    if (fd < 0) throw systemCallError(socketErrno, 'socket', 'opening a connection to the simulated Xen')
    // struct sockaddr_un: family u16, path with its terminating zero.
    const address = Buffer.from(`\x01\x00${path}\x00`, 'utf8')
    const connected: number = connectCall(fd, address, address.length)
    const errno = koffi.errno()
    if (connected !== 0) {
      closeCall(fd)
      throw systemCallError(errno, 'connect', 'connecting to the simulated Xen', { path })
    }
    this.#fd = fd
    this.#owner = new Socket({ fd, readable: false, writable: false })
    this.#owner.unref()
  }

  /** Blocks until all of it is sent. @throws GrantError ECONNRESET */
  send(data: Uint8Array): void {
    for (let sent = 0; sent < data.length; )
      sent += this.#transfer(sendCall, data.subarray(sent), POLLOUT, 'send')
  }

  /** Blocks until `length` bytes are there. @throws GrantError ECONNRESET */
  receive(length: number): Buffer {
    const data = Buffer.allocUnsafe(length)
    for (let received = 0; received < length; )
      received += this.#transfer(recvCall, data.subarray(received), POLLIN, 'recv')
    return data
  }

  close(): void {
    this.#owner.destroy()
  }

  /** @returns bytes transferred, at least 1 */
  #transfer(call: typeof sendCall, part: Uint8Array, events: number, syscall: string): number {
    for (;;) {
      const count: number = Number(call(this.#fd, part, part.length, MSG_NOSIGNAL))
      const errno = koffi.errno()
      if (count > 0) return count
      if (count === 0 || errno === EPIPE || errno === ECONNRESET) throw connectionLost(this.#path, syscall)
      // Node has made the descriptor non-blocking.
      if (errno === EAGAIN) this.#wait(events)
      else if (errno !== EINTR)
        throw systemCallError(errno, syscall, 'talking to the simulated Xen', { path: this.#path })
    }
  }

  #wait(events: number): void {
    this.#poll.writeInt32LE(this.#fd, 0)
    this.#poll.writeInt32LE(events, 4)
    const ready: number = pollCall(this.#poll, 1, -1)
    const errno = koffi.errno()
    if (ready < 0 && errno !== EINTR)
      throw systemCallError(errno, 'poll', 'waiting for the simulated Xen', { path: this.#path })
  }
}

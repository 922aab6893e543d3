import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { clearTimeout, setTimeout } from 'node:timers'
import type { ServiceSocket } from '../vchan.js'

/** How long a command may go on when its connection has ended and its input with it, in milliseconds; then again, to obey. */
const GRACE = 2000
const LEFT = new Set(['EPIPE', 'ECONNRESET'])

/**
 * Gives a connection to a command of the shell, as its standard input and output. When the command ends, so does the
 * connection, after the other end has taken everything; when the connection ends, so does the command's input, and it is told
 * to end if it does not by itself. Whose connection it is stands in XEN_GRANTS_DOMID.
 *
 * @throws Error: the command failed, or could not be started, while the connection stood; what the connection failed with, unless
 *   the other end has just left, without hearing all that the command had to say
 */
export async function execTalk(command: string, socket: ServiceSocket): Promise<void> {
  socket.on('error', () => {})
  const child = start(command, socket)
  // With all that it has started and that has its output.
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const { stdin, stdout } = child
  if (!stdin || !stdout) {
    // No descriptors were left for its pipes.
    socket.destroy()
    await ended
    return
  }
  let timer: NodeJS.Timeout | undefined
  let gone = false
  const connectionEnded = (): void => {
    gone = true
    stdin.end()
    // It may wait for room in a pipe that nobody reads any more. Left to itself, the connection would pause it once more.
    stdout.unpipe(socket).resume()
    timer = setTimeout(() => {
      end(child, 'SIGTERM')
      timer = setTimeout(() => end(child, 'SIGKILL'), GRACE)
    }, GRACE)
  }
  socket.once('close', connectionEnded)
  // It need not read its input.
  stdin.on('error', () => {})
  socket.pipe(stdin)
  stdout.pipe(socket)
  try {
    const [code, signal] = await ended
    if (!gone && code !== 0)
      throw new Error(`the command ended with ${signal ?? `exit code ${code}`}: ${command}`)
  } finally {
    clearTimeout(timer)
    socket.off('close', connectionEnded)
    if (!socket.closed) {
      socket.end()
      // What the command has not read is in the way of the end. That its input has closed comes later, and would pause it again.
      socket.unpipe(stdin)
      socket.resume()
      await new Promise((resolve) => socket.once('close', resolve))
    }
  }
  const failure = socket.errored as NodeJS.ErrnoException | null
  if (failure && !LEFT.has(failure.code!)) throw failure
}

function start(command: string, socket: ServiceSocket): ChildProcess {
  try {
    return spawn('/bin/sh', ['-c', command], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A group of its own, so that all that it starts is told to end.
      detached: true,
      env: { ...process.env, XEN_GRANTS_DOMID: String(socket.domid) },
    })
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function end({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid!, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

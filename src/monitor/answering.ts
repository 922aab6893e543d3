import type { Socket } from 'node:net'
import type { MonitorSnapshot } from './snapshot.js'

/** Connections at a time: a few people look. */
export const MAX_CONNECTIONS = 16

/** What a connection may send before its answer has been taken: there is nothing to say but a newline. */
const MAX_UNANSWERED = 16

/** Milliseconds without a question. */
const IDLE = 60_000

/**
 * Answers each newline with a snapshot, one at a time. Whoever sends more without taking the answers, or sends anything else, is
 * disconnected. Keeps no process alive.
 */
export function answer(socket: Socket, snapshot: () => Promise<MonitorSnapshot>): void {
  let asked = 0
  let answering = false
  const next = async (): Promise<void> => {
    if (answering || asked === 0 || socket.destroyed) return
    answering = true
    asked--
    const line = `${JSON.stringify(await snapshot())}\n`
    // One answer is in memory at a time, whoever does not read it.
    socket.write(line, () => {
      answering = false
      void next()
    })
  }
  socket.unref()
  socket.setTimeout(IDLE, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes) => {
    asked += bytes.length
    if (asked > MAX_UNANSWERED || bytes.some((byte) => byte !== 0x0a)) socket.destroy()
    else void next()
  })
}

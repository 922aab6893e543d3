import type { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { linkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers'
import { GrantError } from '../../errors.js'
import { Kernel, type KernelOptions } from '../kernel/kernel.js'
import { Decoder, encode, errorToWire } from '../wire/codec.js'
import { files, memoryFiles, type ReplyHead } from '../wire/protocol.js'
import { answer } from './dispatch.js'
import { SharedEventMemory } from './event-memory-file.js'
import { Faults } from './faults.js'
import type { Machine } from './handler.js'
import { MemoryFile } from './memory-file.js'
import { StoreSockets } from './store-sockets.js'
import { Survivors } from './survivors.js'

export interface HostOptions extends KernelOptions {
  /** The directory, which exists. */
  path: string
  /** What each device call costs, in milliseconds. */
  ioctlDelay: number
  /** Time between two rounds over the deferred pages, in milliseconds. */
  freeInterval: number
}

/** Runs a simulated Xen until the thread is terminated. @returns once programs can connect */
export async function startHost({ path, ioctlDelay, freeInterval, ...options }: HostOptions): Promise<void> {
  const { granted, ...others } = memoryFiles
  const memory = new MemoryFile(join(path, granted))
  for (const name of Object.values(others)) linkSync(join(path, granted), join(path, name))
  const events = new SharedEventMemory(path)
  const kernel = new Kernel(options, memory, events)
  const stores = new StoreSockets(kernel, path)
  const machine: Machine = { kernel, ioctlDelay, faults: new Faults(events.order), stores }

  // Like the kernel's timer, it runs only while there is something to free.
  let timer: NodeJS.Timeout | undefined
  const watchDeferred = () => {
    if (timer !== undefined || kernel.deferred === 0) return
    timer = setTimeout(() => {
      timer = undefined
      kernel.tick()
      watchDeferred()
    }, freeInterval)
  }

  const survivors = new Survivors(kernel, path, watchDeferred)
  const server = createServer((socket) => serve(machine, socket, survivors, watchDeferred))
  server.listen(join(path, files.socket))
  await once(server, 'listening')
}

/** One connection is one session. Whatever it does wrong ends that session and no other. */
function serve(machine: Machine, socket: Socket, survivors: Survivors, afterCall: () => void): void {
  const session = machine.kernel.startSession(() => socket.destroy())
  const decoder = new Decoder()
  const reply = (message: Buffer) => {
    // A reply that had to wait may come when nobody is there any more.
    if (!socket.destroyed) socket.write(message)
  }
  socket.on('data', (chunk) => {
    try {
      for (const message of decoder.push(chunk)) answer(machine, session, message, reply)
    } catch (error) {
      if (!(error instanceof GrantError)) throw error
      socket.removeAllListeners('data')
      const last = encode({ id: 0, error: errorToWire(error) } satisfies ReplyHead)
      socket.end(last, () => socket.destroy())
    }
    afterCall()
  })
  // A program that was killed with a reply under way: 'close' follows, and that is where it matters.
  socket.on('error', () => {})
  socket.on('close', () => {
    survivors.connectionClosed(session)
    afterCall()
  })
}

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { MessagePort } from 'node:worker_threads'
import { PAGE_SIZE } from '../../abi.js'
import { createPageBuffer, mapZeroPages, type PageBuffer } from '../../drivers/page-buffer.js'
import { GrantError } from '../../errors.js'
import { errorToWire, type WireError } from '../wire/codec.js'
import { memoryFiles } from '../wire/protocol.js'
import { mapFrames } from './frame-map.js'

/** From a program to the worker that maps for its domains. `id` is the mapping's; each message is answered with it. */
export type PeerRequest =
  | { id: number; type: 'map'; frames: Uint32Array; writable: boolean }
  | { id: number; type: 'unmap' }

export type PeerReply = { id: number; buffer?: SharedArrayBuffer } | { id: number; error: WireError }

interface PeerMapping {
  pages: PageBuffer
  length: number
}

/** Maps the memory of the granting domain for a program's peers, which may not touch native code themselves. */
export function runPeerWorker(port: MessagePort, path: string): void {
  const memory = openSync(join(path, memoryFiles.peers), 'r+')
  const mappings = new Map<number, PeerMapping>()

  const map = (id: number, frames: Uint32Array, writable: boolean): SharedArrayBuffer => {
    const length = frames.length * PAGE_SIZE
    const pages = createPageBuffer(frames.length)
    try {
      mapFrames(pages.address, memory, frames, writable ? 'shared' : 'private')
    } catch (error) {
      mapZeroPages(pages.address, length)
      throw error
    }
    mappings.set(id, { pages, length })
    return pages.buffer
  }

  const unmap = (id: number): void => {
    const mapping = mappings.get(id)
    if (!mapping) return
    mapZeroPages(mapping.pages.address, mapping.length)
    mappings.delete(id)
  }

  port.on('message', (message: PeerRequest | 'close') => {
    if (message === 'close') {
      for (const id of [...mappings.keys()]) unmap(id)
      closeSync(memory)
      port.close()
      return
    }
    const { id } = message
    try {
      const reply: PeerReply =
        message.type === 'map' ? { id, buffer: map(id, message.frames, message.writable) } : { id }
      if (message.type === 'unmap') unmap(id)
      port.postMessage(reply)
    } catch (error) {
      if (!(error instanceof GrantError)) throw error
      port.postMessage({ id, error: errorToWire(error) } satisfies PeerReply)
    }
  })
  port.postMessage('ready')
}

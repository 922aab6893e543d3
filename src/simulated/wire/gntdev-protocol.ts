import type { MappedReply, Nothing, OpenedReply } from './replies.js'

/** The calls of a file of gntdev. */
export interface GntdevProtocol {
  'gntdev.open': { args: [domid: number]; result: OpenedReply }
  /** Records the pairs in `numbers`: granter and reference, in turn. */
  'gntdev.map': { args: [file: number]; result: { index: number } }
  'gntdev.mmap': { args: [file: number, index: number, count: number, writable: number]; result: MappedReply }
  /** As `gntalloc.munmap`. */
  'gntdev.munmap': { args: []; result: Nothing }
  'gntdev.unmap': { args: [file: number, index: number, count: number]; result: Nothing }
  'gntdev.setUnmapNotify': {
    args: [file: number, index: number, action: number, port: number]
    result: Nothing
  }
  /** The pieces and the results are in `numbers`, see copy-message.ts. */
  'gntdev.copy': { args: [file: number]; result: { numbers: Uint32Array } }
  'gntdev.close': { args: [file: number]; result: Nothing }
}

/** As `gntallocFaults`. */
export const gntdevFaults = {
  'gntdev.open': 'open',
  'gntdev.map': 'ioctl',
  'gntdev.mmap': 'mmap',
  'gntdev.munmap': 'munmap',
  'gntdev.unmap': 'ioctl',
  'gntdev.setUnmapNotify': 'ioctl',
  'gntdev.copy': 'ioctl',
} as const satisfies Partial<Record<keyof GntdevProtocol, string>>

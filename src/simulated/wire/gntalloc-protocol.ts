import type { DeviceLimits } from '../../drivers/gntalloc/grant-device.js'
import type { MappedReply, Nothing, OpenedReply } from './replies.js'

/** The calls of a file of gntalloc. Its driver is that of the domain it was opened for. */
export interface GntallocProtocol {
  'gntalloc.open': { args: [domid: number]; result: OpenedReply }
  'gntalloc.allocate': {
    args: [file: number, domid: number, flags: number, count: number]
    result: { index: number; numbers: Uint32Array }
  }
  'gntalloc.deallocate': { args: [file: number, index: number, count: number]; result: Nothing }
  'gntalloc.setUnmapNotify': {
    args: [file: number, index: number, action: number, port: number]
    result: Nothing
  }
  'gntalloc.mmap': { args: [file: number, index: number, count: number]; result: MappedReply }
  /** The pieces are in `numbers`: mapping, first page, count. */
  'gntalloc.munmap': { args: []; result: Nothing }
  'gntalloc.limits': { args: [file: number]; result: DeviceLimits }
  'gntalloc.domainExists': { args: [domid: number]; result: { exists: number } }
  'gntalloc.close': { args: [file: number]; result: Nothing }
}

/** Those that can be made to fail, and the system call that fails then. */
export const gntallocFaults = {
  'gntalloc.open': 'open',
  'gntalloc.allocate': 'ioctl',
  'gntalloc.deallocate': 'ioctl',
  'gntalloc.setUnmapNotify': 'ioctl',
  'gntalloc.mmap': 'mmap',
  'gntalloc.munmap': 'munmap',
} as const satisfies Partial<Record<keyof GntallocProtocol, string>>

import { PAGE_SIZE, UNMAP_NOTIFY_CLEAR_BYTE, UNMAP_NOTIFY_SEND_EVENT } from './abi.js'
import { checkInteger, checkOptions } from './arguments.js'

/** What the kernel does when pages are unmapped. Neither `clearByte` nor `port`: nothing. */
export interface UnmapNotifyOptions {
  /** The page of the grant whose notification is meant. Default 0. Every page can have one. */
  page?: number | undefined
  /** Offset within that page, 0 to 4095, of a byte that is set to zero. */
  clearByte?: number | undefined
  /** Local event channel port that is notified, bound in this domain by any process. */
  port?: number | undefined
}

/** Neither `clearByte` nor `port` disarms. */
export function notifyArguments(
  options: UnmapNotifyOptions,
  pages: number,
): { offset: number; action: number; port: number } {
  const {
    page = 0,
    clearByte,
    port,
  } = checkOptions<UnmapNotifyOptions>('options', options, ['page', 'clearByte', 'port'])
  checkInteger('options.page', page, 0, pages - 1)
  if (clearByte !== undefined) checkInteger('options.clearByte', clearByte, 0, PAGE_SIZE - 1)
  if (port !== undefined) checkInteger('options.port', port, 1, 0xffff_ffff)
  const action =
    (clearByte === undefined ? 0 : UNMAP_NOTIFY_CLEAR_BYTE) |
    (port === undefined ? 0 : UNMAP_NOTIFY_SEND_EVENT)
  return { offset: page * PAGE_SIZE + (clearByte ?? 0), action, port: port ?? 0 }
}

import type { Nothing, OpenedReply } from './replies.js'

/** The calls of a file of xenbus, once `domain.openStore` has been answered. Bytes are in `numbers`, see byte-message.ts. */
export interface XenbusProtocol {
  'xenbus.open': { args: [domid: number]; result: OpenedReply }
  /** As `evtchn.join`. */
  'xenbus.join': { args: [file: number]; result: OpenedReply }
  'xenbus.write': { args: [file: number, length: number]; result: Nothing }
  'xenbus.read': { args: [file: number]; result: { length: number; numbers: Uint32Array } }
  /** Answered when the file has something to read. */
  'xenbus.wait': { args: [file: number]; result: Nothing }
  'xenbus.close': { args: [file: number]; result: Nothing }
}

/** As `gntallocFaults`. */
export const xenbusFaults = {
  'xenbus.open': 'open',
  'xenbus.write': 'write',
  'xenbus.read': 'read',
} as const satisfies Partial<Record<keyof XenbusProtocol, string>>

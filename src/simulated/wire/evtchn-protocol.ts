import type { DirectCall } from './event-table.js'
import type { Nothing, OpenedReply } from './replies.js'

/** The calls of a file of evtchn. Those that are direct calls too come here only when one of them is to fail. */
export interface EvtchnProtocol {
  /** `place` is that of its ports in the table. */
  'evtchn.open': { args: [domid: number]; result: OpenedReply & { place: number } }
  /** Another session's file becomes this session's too, and goes with the other. To close it is to let go of it. */
  'evtchn.join': { args: [file: number]; result: OpenedReply }
  'evtchn.bindUnbound': { args: [file: number, domid: number]; result: { port: number } }
  'evtchn.bindInterdomain': {
    args: [file: number, domid: number, remotePort: number]
    result: { port: number }
  }
  'evtchn.bindVirq': { args: [file: number, virq: number]; result: { port: number } }
  'evtchn.unbind': { args: [file: number, port: number]; result: Nothing }
  'evtchn.notify': { args: [file: number, port: number]; result: Nothing }
  'evtchn.restrict': { args: [file: number, domid: number]; result: Nothing }
  /** Whether what has come through the ring can be read. */
  'evtchn.read': { args: [file: number]; result: Nothing }
  /** The ports are in `numbers`. */
  'evtchn.unmask': { args: [file: number]; result: Nothing }
  'evtchn.reset': { args: [file: number]; result: Nothing }
  'evtchn.close': { args: [file: number]; result: Nothing }
}

/** As `gntallocFaults`. */
export const evtchnFaults = {
  'evtchn.open': 'open',
  'evtchn.bindUnbound': 'ioctl',
  'evtchn.bindInterdomain': 'ioctl',
  'evtchn.bindVirq': 'ioctl',
  'evtchn.unbind': 'ioctl',
  'evtchn.notify': 'ioctl',
  'evtchn.restrict': 'ioctl',
  'evtchn.read': 'read',
  'evtchn.unmask': 'write',
  'evtchn.reset': 'ioctl',
} as const satisfies Partial<Record<keyof EvtchnProtocol, string>> & Record<DirectCall, string>

import type { Nothing, OpenedReply } from './replies.js'

/** The calls of a file of evtchn. */
export interface EvtchnProtocol {
  'evtchn.open': { args: [domid: number]; result: OpenedReply }
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
  'evtchn.read': { args: [file: number]; result: { numbers: Uint32Array } }
  /** The ports are in `numbers`. */
  'evtchn.unmask': { args: [file: number]; result: Nothing }
  'evtchn.reset': { args: [file: number]; result: Nothing }
  /** Answered when the file has something to read; what is asked for meanwhile is answered earlier. */
  'evtchn.wait': { args: [file: number]; result: Nothing }
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
} as const satisfies Partial<Record<keyof EvtchnProtocol, string>>

import type { ThreadData } from '../threads/thread-messages.js'

/** Given to the event worker when it starts: an EventDeviceModule, and the file of the line that its client has opened. */
export interface EventServiceData extends ThreadData {
  module: string
  file: unknown
}

/** What the event worker does. Binding answers the local port. What is hot does not go through it. */
export interface EventService {
  bindUnbound(domid: number): number
  bindInterdomain(domid: number, port: number): number
  bindVirq(virq: number): number
  unbind(port: number): void
  restrict(domid: number): void
}

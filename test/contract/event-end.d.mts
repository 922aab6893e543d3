import type {
  EventDevice,
  EventDeviceModule,
  EventLine,
  EventListener,
} from '../../dist/src/drivers/evtchn/event-device.js'
import type { GrantError } from '../../dist/src/errors.js'

export class EventEnd implements EventListener {
  readonly line: EventLine
  readonly device: EventDevice
  readonly failures: { call: string; error: GrantError; port: number | undefined }[]
  constructor(line: EventLine, device: EventDevice)
  static open(module: EventDeviceModule, options: unknown): Promise<EventEnd>
  start(): void
  fired(ports: readonly number[]): void
  failed(call: string, error: GrantError, ports: readonly number[]): void
  until(condition: () => boolean, patience?: number): Promise<void>
  notify(port: number): Promise<void>
  unmask(ports: readonly number[]): Promise<void>
  failureOf(call: (line: EventLine) => void): Promise<GrantError | undefined>
  taken(count?: number, patience?: number): Promise<number[]>
  read(): Promise<number[]>
  next(patience?: number): Promise<number[]>
  close(): Promise<void>
}

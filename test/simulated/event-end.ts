import type {
  EventDevice,
  EventDeviceModule,
  EventLine,
  EventListener,
} from '../../dist/src/drivers/evtchn/event-device.js'
import type { GrantError } from '../../dist/src/errors.js'

/** No file ever has it: that it cannot be notified says that everything before has been done. */
const NO_PORT = 2 ** 20

/** Both halves of an open event channel file, in this thread, and what the line has told. */
export class EventEnd implements EventListener {
  readonly line: EventLine
  readonly device: EventDevice
  readonly failures: { call: string; error: GrantError; port: number | undefined }[] = []
  #fired: number[] = []
  #wake = (): void => {}

  static async open(module: EventDeviceModule, options: unknown): Promise<EventEnd> {
    const line = await module.openEventLine(options)
    return new EventEnd(line, await module.joinEventDevice(line.file))
  }

  private constructor(line: EventLine, device: EventDevice) {
    this.line = line
    this.device = device
    line.start(this)
  }

  fired(ports: readonly number[]): void {
    this.#fired.push(...ports)
    this.#wake()
  }

  failed(call: string, error: GrantError, [port]: readonly number[]): void {
    this.failures.push({ call, error, port })
    this.#wake()
  }

  /** Resolves once the line has told something that satisfies. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** @throws what the line says of it */
  async notify(port: number): Promise<void> {
    const before = this.failures.length
    this.line.notify(port)
    await this.#settled()
    const failure = this.failures.slice(before).find((each) => each.port === port)
    if (failure) throw failure.error
  }

  /** What has fired and has not been read here. Twice: the first shows what has woken the line, the second what it then read. */
  async read(): Promise<number[]> {
    await this.#settled()
    await this.#settled()
    return this.#fired.splice(0)
  }

  /** What fires next. */
  async next(): Promise<number[]> {
    await this.until(() => this.#fired.length > 0)
    return this.#fired.splice(0)
  }

  unmask(ports: readonly number[]): void {
    this.line.unmask(ports)
  }

  async close(): Promise<void> {
    this.device.close()
    await this.line.close()
  }

  async #settled(): Promise<void> {
    const count = (): number => this.failures.filter(({ port }) => port === NO_PORT).length
    const before = count()
    this.line.notify(NO_PORT)
    await this.until(() => count() > before)
  }
}

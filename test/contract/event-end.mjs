/** How long an event may take, in milliseconds. */
const PATIENCE = 5000
/** No file ever has it: that it cannot be notified says that what was asked before has been done. */
const NO_PORT = 2 ** 20

/** Both halves of an open event channel file, of whatever device, in this thread, and what the line has told. */
export class EventEnd {
  line
  device
  /** What calls on the line have failed with: { call, error, port }. */
  failures = []
  #fired = []
  /** How many failures there were each time that what had been asked was done. */
  #settled = []
  #asked = 0
  #waiting = new Set()

  constructor(line, device) {
    this.line = line
    this.device = device
  }

  /** @param module with `openEventLine` and `joinEventDevice` */
  static async open(module, options) {
    const line = await module.openEventLine(options)
    const end = new EventEnd(line, await module.joinEventDevice(line.file))
    end.start()
    return end
  }

  /** From now on it is told what fires. Until `close` it keeps the thread alive. */
  start() {
    this.line.start(this)
    this.line.ref()
  }

  fired(ports) {
    this.#fired.push(...ports)
    this.#told()
  }

  failed(call, error, [port]) {
    if (port === NO_PORT) this.#settled.push(this.failures.length)
    else this.failures.push({ call, error, port })
    this.#told()
  }

  #told() {
    for (const look of this.#waiting) look()
  }

  /** Resolves once the line has told something that satisfies, or when the time is up. */
  async until(condition, patience = PATIENCE) {
    const deadline = performance.now() + patience
    while (!condition() && performance.now() < deadline) {
      const { promise, resolve } = withResolvers()
      const timer = setTimeout(resolve, deadline - performance.now())
      // Several may wait at once, for different things: each looks whenever something has been told.
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
      clearTimeout(timer)
    }
  }

  /** @throws what the line says of it */
  notify(port) {
    return this.#call((line) => line.notify(port))
  }

  /** @throws what the line says of it */
  unmask(ports) {
    return this.#call((line) => line.unmask(ports))
  }

  async #call(call) {
    const error = await this.failureOf(call)
    if (error) throw error
  }

  /** What a call on the line fails with, if it does. */
  async failureOf(call) {
    call(this.line)
    const asked = await this.#settle()
    // Others may be under way: this one's are between the settling before it and its own.
    const own = this.failures.slice(this.#settled[asked - 2] ?? 0, this.#settled[asked - 1])
    return own.find((failure) => failure.call !== 'read')?.error
  }

  /** What has fired and has not been taken, once there are so many or the time is up. They stay masked. */
  async taken(count = 0, patience = 2000) {
    await this.until(() => this.#fired.length >= count, patience)
    return this.#fired.splice(0)
  }

  /** What has fired by now. Twice: the first shows what has woken the line, the second what it then read. */
  async read() {
    await this.#settle()
    await this.#settle()
    return this.#fired.splice(0)
  }

  /** The ports that fire next; [] when none does within the time. */
  next(patience = PATIENCE) {
    return this.taken(1, patience)
  }

  async close() {
    this.device.close()
    await this.line.close()
  }

  async #settle() {
    const asked = ++this.#asked
    this.line.notify(NO_PORT)
    await this.until(() => this.#settled.length >= asked)
    return asked
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers() {
  let resolve
  const promise = new Promise((r) => {
    resolve = r
  })
  return { promise, resolve }
}

const PATIENCE_MS = 2000
/** No file ever has it: that it cannot be notified says that what was asked before has been done. */
const NO_PORT = 2 ** 20

/** Both halves of an open event channel file, in this thread, for the agreement: what has fired, and what a call fails with. */
export class EventEnd {
  device
  #line
  #settled = () => {}
  #fired = []
  #failures = []
  #wake = () => {}

  constructor(line, device) {
    this.device = device
    this.#line = line
    line.start({
      fired: (ports) => {
        this.#fired.push(...ports)
        this.#wake()
      },
      failed: (_call, error, [port]) => {
        if (port === NO_PORT) this.#settled()
        else this.#failures.push(error)
      },
    })
    line.ref()
  }

  notify(port) {
    return this.#call(() => this.#line.notify(port))
  }

  unmask(ports) {
    return this.#call(() => this.#line.unmask(ports))
  }

  /** What has fired since, waiting for so many. They stay masked. */
  async taken(count) {
    const deadline = performance.now() + PATIENCE_MS
    while (this.#fired.length < count && performance.now() < deadline) {
      let timer
      await new Promise((resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, deadline - performance.now())
      })
      clearTimeout(timer)
    }
    return this.#fired.splice(0)
  }

  async close() {
    this.device.close()
    await this.#line.close()
  }

  async #call(call) {
    this.#failures = []
    call()
    await new Promise((resolve) => {
      this.#settled = resolve
      this.#line.notify(NO_PORT)
    })
    if (this.#failures.length > 0) throw this.#failures[0]
  }
}

import { setImmediate } from 'node:timers/promises'
import { EvtchnLine } from '../../../dist/src/drivers/evtchn/linux-event-line.js'
import { EvtchnDevice } from '../../../dist/src/drivers/evtchn/linux-evtchn.js'

/** Both halves of an open /dev/xen/evtchn, in this thread, and what the line has told. */
export class EventFile {
  line = new EvtchnLine()
  device = new EvtchnDevice(this.line.file)
  #fired = []
  #failures = []
  #wake = () => {}

  start() {
    this.line.start({
      fired: (ports) => {
        this.#fired.push(...ports)
        this.#wake()
      },
      failed: (call, error) => this.#failures.push({ call, error }),
    })
    this.line.ref()
  }

  notify(port) {
    this.line.notify(port)
  }

  unmask(ports) {
    this.line.unmask(ports)
  }

  /** What a call on the line fails with, if it does. */
  async failureOf(call) {
    const before = this.#failures.length
    call(this.line)
    await setImmediate()
    return this.#failures[before]?.error
  }

  /** The ports that have fired, without waiting. They stay masked. */
  taken() {
    return this.#fired.splice(0)
  }

  /** The ports that fire next; [] when none does within the time. They stay masked. */
  async next(ms = 5000) {
    if (this.#fired.length === 0) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.taken()
  }

  async close() {
    this.device.close()
    await this.line.close()
  }
}

import { crc32 } from 'node:zlib'
import { Clock } from './vchan-clock.mjs'
import { pattern } from './vchan-pattern.mjs'

const CHUNK = 65536
/** Round trips are timed in so many parts. */
const PING_LAPS = 20
/** Places in what is counted. */
const [SENT, RECEIVED] = [0, 1]

/**
 * What one end of a vchan sends and takes: the options of peers/vchan.c, on the stream of `Vchan`. Resolves when both are
 * done, or the other end has closed; does not close. And `lap`: bytes, each so many of which are timed by themselves.
 * @returns {Promise<{ error, sent, sentCrc, received, receivedCrc, measured, events, nanoseconds, laps }>} `sent` is what has been
 * written, `error` the code of what the stream has emitted, if anything; `laps` has the nanoseconds of each
 */
export function traffic(end, options = {}) {
  return options.ping ? pingPong(end, options) : new Traffic(end, options).run()
}

class Traffic {
  #end
  #options
  #clock
  /** Bytes sent and received. Fields that outgrow 31 bits would make V8 compile again in the middle of what is measured. */
  #moved = new Float64Array(2)
  #sentCrc = 0
  #receivedCrc = 0
  #over
  /** Ends the wait of `#put`. */
  #goOn = () => {}
  #error

  constructor(end, options) {
    this.#end = end
    this.#options = { put: 0, take: Infinity, die: Infinity, seed: 0, chunk: CHUNK, ...options }
    this.#clock = new Clock(options)
  }

  async run() {
    // The stream closes when the other end does, and may have something to say of what it could not send.
    this.#over = new Promise((resolve) => {
      this.#end.on('error', (error) => {
        this.#error ??= error.code ?? error.message
      })
      this.#end.once('close', () => {
        resolve()
        // A stream that ends while it is full does not drain.
        this.#goOn()
      })
    })
    this.#end.on('drain', () => this.#goOn())
    this.#look()
    await Promise.race([Promise.all([this.#take(), this.#put()]), this.#over])
    return {
      ...(this.#error !== undefined && { error: this.#error }),
      sent: this.#moved[SENT],
      sentCrc: this.#sentCrc,
      received: this.#moved[RECEIVED],
      receivedCrc: this.#receivedCrc,
      ...this.#clock.end(this.#moved[SENT] + this.#moved[RECEIVED]),
    }
  }

  async #put() {
    const { put, seed, chunk, plain } = this.#options
    const zeros = plain && Buffer.alloc(chunk)
    while (this.#moved[SENT] < put && this.#end.writable) {
      const sent = this.#moved[SENT]
      const length = Math.min(chunk, put - sent)
      const bytes = plain ? zeros.subarray(0, length) : pattern(seed, sent, length)
      if (!plain) this.#sentCrc = crc32(bytes, this.#sentCrc)
      this.#moved[SENT] += length
      if (!this.#end.write(bytes)) await this.#drained()
      this.#look()
    }
  }

  #drained() {
    return new Promise((resolve) => {
      this.#goOn = resolve
    })
  }

  #take() {
    const { take, echo, plain } = this.#options
    if (take === 0) return undefined
    return new Promise((resolve) => {
      this.#end.on('data', (chunk) => {
        if (!plain) this.#receivedCrc = crc32(chunk, this.#receivedCrc)
        this.#moved[RECEIVED] += chunk.length
        if (echo && this.#end.writable) this.#echo(chunk)
        this.#look()
        if (this.#moved[RECEIVED] >= take) resolve()
      })
      this.#end.once('end', resolve)
    })
  }

  #echo(chunk) {
    this.#moved[SENT] += chunk.length
    if (this.#end.write(chunk)) return
    this.#end.pause()
    this.#end.once('drain', () => this.#end.resume())
  }

  #look() {
    const all = this.#moved[SENT] + this.#moved[RECEIVED]
    if (all >= this.#options.die) process.kill(process.pid, 'SIGKILL')
    this.#clock.moved(all)
  }
}

/** Round trips with an end that echoes. As many come before, to warm up. */
async function pingPong(end, { ping, chunk = 64, events }) {
  const packet = Buffer.alloc(chunk)
  const clock = new Clock({ warm: ping, lap: Math.ceil(ping / PING_LAPS), events })
  let trips = 0
  let missing = 0
  await new Promise((resolve, reject) => {
    const next = () => {
      clock.moved(trips)
      if (trips === 2 * ping) return resolve()
      trips++
      missing = chunk
      end.write(packet)
    }
    end.on('data', (bytes) => {
      missing -= bytes.length
      if (missing === 0) next()
    })
    end.once('error', reject)
    next()
  })
  return { sent: 0, received: 0, ...clock.end(trips) }
}

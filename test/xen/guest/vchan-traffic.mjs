import { crc32 } from 'node:zlib'
import { eventsSoFar } from './vchan-events.mjs'
import { pattern } from './vchan-pattern.mjs'

const CHUNK = 65536

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
  #sent = 0
  #sentCrc = 0
  #received = 0
  #receivedCrc = 0
  #from
  #before = 0
  #events = 0
  #laps = []
  #over
  #error

  constructor(end, options) {
    this.#end = end
    this.#options = {
      put: 0,
      take: Infinity,
      die: Infinity,
      warm: 0,
      lap: Infinity,
      seed: 0,
      chunk: CHUNK,
      ...options,
    }
  }

  async run() {
    // The stream closes when the other end does, and may have something to say of what it could not send.
    this.#over = new Promise((resolve) => {
      this.#end.on('error', (error) => {
        this.#error ??= error.code ?? error.message
      })
      this.#end.once('close', resolve)
    })
    this.#moved()
    await Promise.race([Promise.all([this.#take(), this.#put()]), this.#over])
    const nanoseconds = Math.round((performance.now() - this.#from) * 1e6)
    const events = this.#options.events ? eventsSoFar() - this.#events : 0
    return {
      ...(this.#error !== undefined && { error: this.#error }),
      sent: this.#sent,
      sentCrc: this.#sentCrc,
      received: this.#received,
      receivedCrc: this.#receivedCrc,
      measured: this.#sent + this.#received - this.#before,
      events,
      nanoseconds,
      laps: this.#laps.slice(1).map((at, i) => Math.round((at - this.#laps[i]) * 1e6)),
    }
  }

  async #put() {
    const { put, seed, chunk, plain } = this.#options
    const zeros = plain && Buffer.alloc(chunk)
    while (this.#sent < put && this.#end.writable) {
      const length = Math.min(chunk, put - this.#sent)
      const bytes = plain ? zeros.subarray(0, length) : pattern(seed, this.#sent, length)
      if (!plain) this.#sentCrc = crc32(bytes, this.#sentCrc)
      this.#sent += length
      if (!this.#end.write(bytes)) await this.#drained()
      this.#moved()
    }
  }

  /** A stream that ends while it is full does not drain. */
  #drained() {
    return Promise.race([new Promise((resolve) => this.#end.once('drain', resolve)), this.#over])
  }

  #take() {
    const { take, echo, plain } = this.#options
    if (take === 0) return undefined
    return new Promise((resolve) => {
      this.#end.on('data', (chunk) => {
        if (!plain) this.#receivedCrc = crc32(chunk, this.#receivedCrc)
        this.#received += chunk.length
        if (echo && this.#end.writable) this.#echo(chunk)
        this.#moved()
        if (this.#received >= take) resolve()
      })
      this.#end.once('end', resolve)
    })
  }

  #echo(chunk) {
    this.#sent += chunk.length
    if (this.#end.write(chunk)) return
    this.#end.pause()
    this.#end.once('drain', () => this.#end.resume())
  }

  #moved() {
    const all = this.#sent + this.#received
    if (all >= this.#options.die) process.kill(process.pid, 'SIGKILL')
    if (this.#from === undefined) {
      if (all < this.#options.warm) return
      if (this.#options.events) this.#events = eventsSoFar()
      this.#before = all
      this.#from = performance.now()
    }
    if (all - this.#before >= this.#laps.length * this.#options.lap) this.#laps.push(performance.now())
  }
}

/** Round trips with an end that echoes, of which the first tenth is a warm-up. */
async function pingPong(end, { ping, chunk = 64, events: counted }) {
  const packet = Buffer.alloc(chunk)
  const warmUp = Math.floor(ping / 10)
  let left = ping + warmUp
  let from
  let before = 0
  let missing = 0
  await new Promise((resolve, reject) => {
    const next = () => {
      if (left === ping) {
        if (counted) before = eventsSoFar()
        from = performance.now()
      }
      if (left-- === 0) return resolve()
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
  const nanoseconds = Math.round((performance.now() - from) * 1e6)
  return { sent: 0, received: 0, measured: ping, nanoseconds, events: counted ? eventsSoFar() - before : 0 }
}

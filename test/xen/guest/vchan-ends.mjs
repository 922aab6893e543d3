import { once } from 'node:events'
import { Xen } from 'xen-grants'
import { startToolstack } from './domains.mjs'
import { openEnd } from './vchan-open.mjs'
import { wordsOf } from './vchan-options.mjs'
import { traffic } from './vchan-traffic.mjs'

// Ends of a vchan of which a test chooses two. Each takes (t, role, domid, path, options), with the options of peers/vchan.c,
// and is on its way when it returns.

/** libxenvchan, in a process. */
export function C(t, role, domid, path, options = {}) {
  return new ProgramEnd(t.peer('vchan', role, domid, path, ...wordsOf({ ...waiting(role), ...options })))
}

/** This package, in a process of its own. */
export function NodeProcess(t, role, domid, path, options) {
  return new ProgramEnd(t.node('vchan-end.mjs', role, domid, path, ...wordsOf(options ?? {})))
}

/** This package, in this process. */
export function Node(t, role, domid, path, options) {
  return new LocalEnd(t, role, domid, path, options)
}

/** Either end may be the first to start. */
export function waiting(role) {
  return role === 'client' ? { waits: true } : {}
}

let opened

/** The one Xen of this process: opening it takes seconds here. */
export async function xenOfThisProcess() {
  await startToolstack()
  opened ??= Xen.open()
  return opened
}

class ProgramEnd {
  #program
  #connected

  constructor(program) {
    this.#program = program
  }

  /** A C server has published its keys. */
  serving() {
    return this.#word('serving')
  }

  /** @returns the sizes of its rings, of a C end */
  connected() {
    this.#connected ??= this.#word('connected')
    return this.#connected
  }

  /** What it has sent and taken, when it has closed. */
  async done() {
    await this.connected()
    return this.#word('done')
  }

  kill() {
    return this.#program.kill('SIGKILL')
  }

  async #word(word) {
    for (;;) {
      const line = await this.#program.line()
      if (line.startsWith(`${word} `)) return JSON.parse(line.slice(word.length + 1))
      if (line.startsWith('Error')) throw new Error(line)
    }
  }
}

class LocalEnd {
  #opening
  #done

  constructor(t, role, domid, path, options) {
    const abort = new AbortController()
    this.#opening = xenOfThisProcess().then((xen) =>
      openEnd(xen, role, domid, path, { signal: abort.signal, ...options }),
    )
    this.#done = this.#opening.then((end) => this.#run(end, options))
    this.#done.catch(() => {})
    t.defer(async () => {
      abort.abort()
      const end = await this.#opening.catch(() => undefined)
      if (end && !end.closed) await once(end.on('error', () => {}).destroy(), 'close')
    })
  }

  async #run(end, options) {
    const closed = new Promise((resolve) => end.once('close', resolve))
    const counts = await traffic(end, options)
    // What is not read would keep it from closing.
    end.resume().end()
    await closed
    return counts
  }

  /** @returns the stream */
  connected() {
    return this.#opening
  }

  done() {
    return this.#done
  }
}

/** How long a program may take in the emulation, in milliseconds: a bound, and no measure. */
export const PATIENCE = 300_000

/** One command of a guest at a time: it looks for the next when it has answered. */
export class Terminal {
  #guest
  #last = Promise.resolve()

  /** @param {{ run(text: string): Promise<{ output: string, code: number }> }} guest */
  constructor(guest) {
    this.#guest = guest
  }

  /** @returns what it printed */
  run(text) {
    const next = this.#last.then(() => this.#guest.run(text))
    this.#last = next.catch(() => {})
    return next.then(({ output }) => output)
  }
}

/** A program of a document that runs in a guest: as LocalProgram of test/guides. Its files are in `folder` there already. */
export class GuestProgram {
  #terminal
  #files
  #started
  #ended
  #given
  #interrupted = false
  outcome

  /** @param {Terminal} terminal @param {string} folder in the guest */
  constructor(program, { terminal, folder }) {
    this.program = program
    this.#terminal = terminal
    this.#files = `${folder}/.${program.name}`
    const command = program.language === 'js' ? `node ${program.name}.mjs` : `sh -e ${program.name}.sh`
    const files = this.#files
    // A session of its own, for interrupts. What is started like this ignores them, and waits for the program, which does not.
    const script = `echo $$ >${files}.pid; ${command} >${files}.out 2>${files}.err; echo $? >${files}.end`
    this.#started = this.#terminal.run(
      `cd ${folder}; rm -f ${files}.*; setsid sh -c '${script}' </dev/null >/dev/null 2>&1 &`,
    )
  }

  get ended() {
    this.#ended ??= this.#untilEnded()
    return this.#ended
  }

  get firstLine() {
    return this.#until(`[ -s ${this.#files}.out ] || [ -s ${this.#files}.end ]`)
  }

  async interrupt() {
    this.#interrupted = true
    await this.#terminal.run(`kill -INT -$(cat ${this.#files}.pid)`)
    await this.ended
  }

  async kill() {
    this.#given = true
    if (this.outcome) return
    await this.#terminal.run(`kill -KILL -$(cat ${this.#files}.pid)`)
  }

  async #untilEnded() {
    await this.#until(`[ -s ${this.#files}.end ]`)
    const read = (name) => this.#terminal.run(`cat ${this.#files}.${name}`)
    const [end, stdout, stderr] = [await read('end'), await read('out'), await read('err')]
    this.outcome = { end: Number(end), stdout, stderr, interrupted: this.#interrupted }
  }

  /** Waits in there for a while at a time: each look from here takes a round trip through both domains. */
  async #until(condition) {
    await this.#started
    const deadline = performance.now() + PATIENCE
    const look = `for i in $(seq 5); do { ${condition}; } && echo yes && break; usleep 100000 2>/dev/null || sleep 0.1; done`
    while ((await this.#terminal.run(look)).trim() !== 'yes') {
      if (this.#given) throw new Error(`${this.program.name} has been given up`)
      if (performance.now() > deadline)
        throw new Error(`${this.program.name} goes on after ${PATIENCE / 1000} s`)
    }
  }
}

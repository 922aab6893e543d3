import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

/** How long a program may take, in milliseconds: a bound, and no measure. */
const PATIENCE = 170_000

/** A program of a document that runs on this machine. */
export class LocalProgram {
  #child
  #interrupted = false
  outcome

  /**
   * @param {string} folder where its files are
   * @param {object} environment
   * @param {string[]} nodeOptions for a js program
   */
  constructor(program, { folder, environment, nodeOptions = [], patience = PATIENCE }) {
    this.program = program
    const [command, ...args] =
      program.language === 'js'
        ? [process.execPath, ...nodeOptions, `${program.name}.mjs`]
        : ['/bin/sh', '-e', `${program.name}.sh`]
    const stdio = ['ignore', 'pipe', 'pipe']
    // A group of its own: an interrupt is for what a shell has started too.
    this.#child = spawn(command, args, { cwd: folder, env: environment, detached: true, stdio })
    const said = { stdout: '', stderr: '' }
    const line = new Promise((resolve) => {
      for (const name of ['stdout', 'stderr'])
        this.#child[name].setEncoding('utf8').on('data', (text) => {
          said[name] += text
          if (said[name].includes('\n')) resolve()
        })
    })
    const overdue = setTimeout(() => this.kill(), patience)
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      clearTimeout(overdue)
      this.outcome = { end: signal ?? code, ...said, interrupted: this.#interrupted }
    })
    this.firstLine = Promise.race([line, this.ended])
  }

  async interrupt() {
    this.#interrupted = true
    this.#signal('SIGINT')
    await this.ended
  }

  async kill() {
    if (this.outcome) return
    this.#signal('SIGKILL')
    await this.ended
  }

  #signal(name) {
    try {
      process.kill(-this.#child.pid, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}

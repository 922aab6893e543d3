// Runs the programs of a group, as a reader would: each when the one before has ended, unless that goes on beside it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** How long a program may take, in milliseconds: a bound, and no measure. */
const PATIENCE = 90_000

/** Files of a group, and its programs for Node. Programs for the shell are not files. */
export function writeFiles({ files, programs }, folder) {
  const write = (name, text) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  for (const [name, text] of files) write(name, text)
  for (const { name, language, text } of programs) if (language === 'js') write(`${name}.mjs`, text)
}

/**
 * @param {import('./documents.mjs').Group} group
 * @param {object} place
 * @param {string} place.folder where its files are
 * @param {(program) => object} place.environment of a program
 * @param {(program) => string[]} place.nodeOptions for a js program
 * @param {(program) => boolean} place.takes whether a program belongs to this place
 * @returns {Promise<string[]>} what went otherwise than the document says
 */
export async function walk(group, { folder, environment, nodeOptions, takes }) {
  writeFiles(group, folder)
  const running = []
  const problems = []
  try {
    for (const program of group.programs.filter(takes)) {
      const args =
        program.language === 'js'
          ? [process.execPath, ...nodeOptions(program), `${program.name}.mjs`]
          : ['/bin/sh', '-ec', program.text]
      const started = new Running(program, args, { cwd: folder, env: environment(program) })
      running.push(started)
      if (!program.beside && !program.serves) await started.ended
      // Those that wait for it would wait in vain.
      if (started.failed) throw new Error(`${group.name}/${started.problems().join('\n')}`)
      else if (program.ready) await started.firstLine
    }
    await Promise.all(running.map(({ program, ended }) => (program.serves ? undefined : ended)))
    // The last started first: what the others need was there before them.
    for (const one of running.filter(({ program }) => program.serves).reverse())
      problems.push(...(await one.interrupt()))
  } finally {
    for (const one of running) one.kill()
  }
  for (const one of running) problems.push(...one.problems())
  return problems.map((problem) => `${group.name}/${problem}`)
}

class Running {
  #child
  #stdout = ''
  #stderr = ''
  #outcome
  #interrupted = false

  constructor(program, [command, ...args], options) {
    this.program = program
    // A group of its own: an interrupt is for what a shell has started too.
    this.#child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const overdue = setTimeout(() => this.kill(), PATIENCE)
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      clearTimeout(overdue)
      this.#outcome = signal ?? code
    })
    const line = new Promise((resolve) => {
      this.#child.stdout.setEncoding('utf8').on('data', (text) => {
        this.#stdout += text
        if (this.#stdout.includes('\n')) resolve()
      })
      this.#child.stderr.setEncoding('utf8').on('data', (text) => {
        this.#stderr += text
        if (this.#stderr.includes('\n')) resolve()
      })
    })
    this.firstLine = Promise.race([line, this.ended])
  }

  get failed() {
    return this.#outcome !== undefined && this.#outcome !== 0
  }

  /** @returns problems: that it has ended already */
  async interrupt() {
    if (this.#outcome !== undefined) return [`${this.program.name} ended by itself: ${this.#told()}`]
    this.#interrupted = true
    this.#signal('SIGINT')
    await this.ended
    return []
  }

  kill() {
    if (this.#outcome === undefined) this.#signal('SIGKILL')
  }

  #signal(name) {
    try {
      process.kill(-this.#child.pid, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }

  problems() {
    const { name, prints, language } = this.program
    const found = []
    const fine = this.#interrupted ? [0, 130, 'SIGINT'] : [0]
    if (!fine.includes(this.#outcome)) found.push(`${name} ended with ${this.#outcome}: ${this.#told()}`)
    else if (language === 'js' && this.#stderr !== '') found.push(`${name} complains: ${this.#told()}`)
    if (prints && !matches(this.#stdout, prints))
      found.push(`${name} does not print\n${prints.join('\n')}\nbut\n${this.#told()}`)
    return found
  }

  #told() {
    return `${this.#stdout}${this.#stderr}`.trimEnd()
  }
}

/** … in a line stands for anything in that line, and alone for any number of lines. */
function matches(text, lines) {
  const pattern = lines
    .map((line) =>
      line === '…'
        ? '(?:.*\n)*'
        : `${line
            .split('…')
            .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
            .join('.*')}\n`,
    )
    .join('')
  return new RegExp(`^${pattern}$`).test(`${text.trimEnd()}\n`)
}

// C programs to compare with, compiled where the benchmark runs.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-bench-c-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

export function compile(name, ...flags) {
  const binary = join(folder, name)
  execFileSync('gcc', [
    '-O2',
    '-pthread',
    '-o',
    binary,
    new URL(`../c/${name}.c`, import.meta.url).pathname,
    ...flags,
  ])
  return binary
}

/** A C program that does a round for each line it reads, and prints what it took. */
export class Rounds {
  #child
  #lines

  constructor(binary, args) {
    this.#child = spawn(binary, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @returns the number it printed for its latest round */
  async next() {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the C program ended early')
    this.#child.stdin.write('\n')
    return Number(value)
  }

  end() {
    this.#child.stdin.end()
    this.#child.kill()
  }
}

import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What building and testing needs; the rest of the tree is of no use to them. */
const PARTS = ['src', 'workers', 'test', 'examples', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
const CONFIG = 'vitest.config.ts'

/** A test that hangs is one that has noticed: neither it nor its file is waited for longer than this, in milliseconds. */
const TEST_TIMEOUT = 15_000
const FILE_TIMEOUT = 120_000

/** A copy of the working tree, in which a fault may be put. */
export class SourceCopy {
  #directory

  constructor(root) {
    this.#directory = mkdtempSync(join(tmpdir(), 'xen-grants-mutants-'))
    for (const part of [...PARTS, CONFIG])
      cpSync(join(root, part), join(this.#directory, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.#directory, 'node_modules'))
  }

  /** Does `work` with the fault in its place, and takes it out again. */
  async with({ file, find, replace }, work) {
    const path = join(this.#directory, file)
    const text = readFileSync(path, 'utf8')
    // A function, since `$&` and the like mean something in a string.
    writeFileSync(
      path,
      text.replace(find, () => replace),
    )
    try {
      return await work()
    } finally {
      writeFileSync(path, text)
    }
  }

  /** Without its types, which a fault may break: this takes a fraction of a second. @returns what is wrong, if anything */
  async build() {
    const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']
    const args = [...compiler, '--declaration', 'false', '--sourceMap', 'false']
    const { code, output } = await this.#run(args, FILE_TIMEOUT)
    return code === 0 ? undefined : output
  }

  /** @returns whether they pass, and what they have printed */
  async test(files) {
    const options = [
      '--bail=1',
      '--reporter=dot',
      `--testTimeout=${TEST_TIMEOUT}`,
      `--hookTimeout=${TEST_TIMEOUT}`,
    ]
    const args = ['node_modules/vitest/vitest.mjs', 'run', ...options, ...files]
    const { code, output } = await this.#run(args, files.length * FILE_TIMEOUT)
    return { passed: code === 0, output }
  }

  remove() {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #run(args, patience) {
    return new Promise((resolve, reject) => {
      // A group of its own, so that what it has started ends with it.
      const child = spawn(process.execPath, args, {
        cwd: this.#directory,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, XEN_GRANTS_SKIP_BUILD: '1', NO_COLOR: '1' },
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text) => {
          output += text
        })
      const end = () => {
        try {
          process.kill(-child.pid, 'SIGKILL')
        } catch {
          // All of it has ended.
        }
      }
      const late = setTimeout(() => {
        output += `\nnot over after ${patience / 1000} s`
        end()
      }, patience)
      child.on('error', reject)
      child.on('exit', (code) => {
        clearTimeout(late)
        end()
        resolve({ code, output })
      })
    })
  }
}

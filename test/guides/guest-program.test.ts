import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GuestProgram, Terminal } from '../xen/guest/guide-program.mjs'
import type { Program } from './documents.mjs'
import { walk, writeFiles } from './walk.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xen-grants-guest-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Does with a command what test/xen/guest/agent.sh does, and as that does one at a time. */
class Guest {
  #busy = false

  async run(text: string): Promise<{ code: number; output: string }> {
    expect(this.#busy, 'a command while another one runs').toBe(false)
    this.#busy = true
    const answer = await new Promise<{ code: number; output: string }>((resolve) => {
      execFile(
        'sh',
        ['-c', 'output=$(sh -c "$1" 2>&1); code=$?; printf %s "$output"; exit $code', '-', text],
        (error, output) => resolve({ code: Number(error?.code ?? 0), output }),
      )
    })
    this.#busy = false
    return answer
  }
}

const program = (name: string, text: string, more: Partial<Program> = {}): Program => ({
  name,
  language: 'sh',
  text,
  on: 'guest',
  ...more,
})
const walked = (...programs: Program[]) => {
  const group = { name: 'g', programs, files: new Map() }
  writeFiles(group, folder)
  const terminal = new Terminal(new Guest())
  const start = (one: Program) => new GuestProgram(one, { terminal, folder })
  return walk(group, { takes: () => true, start })
}

describe('programs of a document in a guest', () => {
  it('go on beside each other, are waited for, and print what the document says', async () => {
    writeFileSync(
      join(folder, 'serve.mjs'),
      "console.log('there'); const awake = setInterval(() => {}, 1000); process.once('SIGINT', () => clearInterval(awake))",
    )
    const problems = await walked(
      program('server', 'node serve.mjs\n', { serves: true, ready: true, prints: ['there'] }),
      program('waits', 'while ! [ -e done ]; do sleep 0.05; done; echo seen', {
        beside: true,
        prints: ['seen'],
      }),
      program('last', 'echo one; touch done', { prints: ['one'] }),
    )
    expect(problems).toEqual([])
  })

  it('are found out when they fail or print something else', async () => {
    await expect(walked(program('p', 'echo no >&2; exit 3'))).rejects.toThrow('g/p ended with 3: no')
    await expect(walked(program('p', 'echo two', { prints: ['one'] }))).rejects.toThrow('g/p does not print')
  })
})

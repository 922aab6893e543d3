import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { full, inSoak } from '../setup/soak.js'
import { groupOf } from '../xen/guest/guide-files.mjs'
import { GuestProgram, Terminal } from '../xen/guest/guide-program.mjs'
import type { Program } from './documents.mjs'
import { LocalProgram } from './local-program.mjs'
import { walk, writeFiles } from './walk.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xen-grants-guest-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Does with a command what test/xen/guest/agent.sh does, and as that does one at a time. */
class Guest {
  readonly #environment
  #busy = false

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    this.#environment = environment
  }

  async run(text: string): Promise<{ code: number; output: string }> {
    expect(this.#busy, 'a command while another one runs').toBe(false)
    this.#busy = true
    const answer = await new Promise<{ code: number; output: string }>((resolve) => {
      const agent = 'output=$(sh -c "$1" 2>&1); code=$?; printf %s "$output"; exit $code'
      execFile('sh', ['-c', agent, '-', text], { env: this.#environment }, (error, output) =>
        resolve({ code: Number(error?.code ?? 0), output }),
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
  it('go on beside each other, are waited for, and print what the document says', {
    timeout: 120_000,
  }, async () => {
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

  /** What test/xen/suites/guides.mjs does, where domains 0 and 3 of a simulated Xen stand for dom0 and the guest. */
  it.runIf(full)(
    `do with dom0 what the first exchange says, in the simulation as well${inSoak('fifty processes')}`,
    {
      timeout: 400_000,
    },
    async () => {
      const group = groupOf('docs/guides/first-exchange.md', 'real')
      expect(new Set(group.programs.map(({ on }) => on))).toEqual(new Set(['dom0', 'guest']))
      mkdirSync('.cache', { recursive: true })
      const own = mkdtempSync(resolve('.cache/real-'))
      const simulated = await SimulatedXen.create()
      try {
        writeFileSync(join(own, 'xl'), '#!/bin/sh\n[ "$*" = "domid trial" ] && echo 3\n', { mode: 0o755 })
        const environment = { ...process.env, PATH: `${own}:${process.env.PATH}`, SIMULATED: simulated.path }
        writeFiles(group, own)
        const terminal = new Terminal(new Guest({ ...environment, DOMID: '3' }))
        const start = (program: Program) =>
          program.on === 'guest'
            ? new GuestProgram(program, { terminal, folder: own })
            : new LocalProgram(program, { folder: own, environment: { ...environment, DOMID: '0' } })
        expect(await walk(group, { takes: () => true, start })).toEqual([])
      } finally {
        await simulated.close()
        rmSync(own, { recursive: true, force: true })
      }
    },
  )
})

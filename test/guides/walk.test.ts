import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Program } from './documents.mjs'
import { LocalProgram } from './local-program.mjs'
import { walk, writeFiles } from './walk.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xen-grants-walk-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const sh = (name: string, text: string, more: Partial<Program> = {}): Program => ({
  name,
  language: 'sh',
  text,
  ...more,
})
const walked = (...programs: Program[]) => {
  const group = { name: 'g', programs, files: new Map() }
  writeFiles(group, folder)
  const start = (program: Program) => new LocalProgram(program, { folder, environment: process.env })
  return walk(group, { takes: () => true, start })
}

describe('a walk through the programs of a document', () => {
  it('finds nothing where they do what the document says', async () => {
    const prints = ['first …', '…', 'last']
    expect(await walked(sh('p', 'echo first 1; echo 2; echo 3; echo last', { prints }))).toEqual([])
  })

  it.each([
    ['another line', ['one', 'three']],
    ['a line more', ['one']],
    ['a line less', ['one', 'two', 'three']],
    ['part of a line', ['on', 'two']],
  ])('finds %s than is printed', async (_, prints) => {
    await expect(walked(sh('p', 'echo one; echo two', { prints }))).rejects.toThrow('g/p does not print')
  })

  it('rejects when one fails, and ends those that would wait for it', async () => {
    await expect(walked(sh('server', 'sleep 1000', { serves: true }), sh('p', 'exit 3'))).rejects.toThrow(
      'g/p ended with 3',
    )
  })

  it('finds one that fails beside the others', async () => {
    expect(await walked(sh('b', 'exit 3', { beside: true }), sh('p', 'true'))).toEqual([
      expect.stringContaining('g/b ended with 3'),
    ])
  })

  it('finds a server that has ended by itself', async () => {
    const ended = sh('server', 'echo there', { serves: true, ready: true })
    const waits = sh('p', 'while kill -0 $(cat pid); do sleep 0.05; done 2>/dev/null')
    const problems = await walked({ ...ended, text: 'echo $$ > pid; echo there' }, waits)
    expect(problems).toEqual([expect.stringContaining('g/server ended by itself: there')])
  })

  it('finds what a program for Node says on its standard error', async () => {
    const program: Program = { name: 'p', language: 'js', text: 'console.error("hm")' }
    await expect(walked(program)).rejects.toThrow('g/p complains: hm')
  })
})

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { harness } from './paths.mjs'

const SOURCES = join(harness, 'peers')
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror']

/** Compiles every C peer against the C library of Xen. @returns paths of the programs */
export function compilePeers(work) {
  const directory = join(work, 'peers')
  mkdirSync(directory, { recursive: true })
  return readdirSync(SOURCES)
    .filter((name) => name.endsWith('.c'))
    .map((name) => {
      const program = join(directory, name.slice(0, -2))
      execFileSync('gcc', [...FLAGS, '-o', program, join(SOURCES, name), '-lxengnttab'], {
        stdio: 'inherit',
        timeout: 60_000,
      })
      return program
    })
}

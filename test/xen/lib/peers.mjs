import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { harness, repository } from './paths.mjs'

/** Programs of the tests and of the benchmarks. */
const SOURCES = [join(harness, 'peers'), join(repository, 'bench/xen/c')]
const LIBRARIES = ['-lxengnttab', '-lxenevtchn', '-lxenvchan', '-lxenstore']
// What a program does not use is not looked for in the guest.
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-Wl,--as-needed']

/** Compiles every C peer against the C libraries of Xen. @returns paths of the programs */
export function compilePeers(work) {
  const directory = join(work, 'peers')
  mkdirSync(directory, { recursive: true })
  return SOURCES.flatMap((sources) => readdirSync(sources).map((name) => join(sources, name)))
    .filter((source) => source.endsWith('.c'))
    .map((source) => {
      const program = join(directory, basename(source, '.c'))
      execFileSync('gcc', [...FLAGS, '-o', program, source, ...LIBRARIES], {
        stdio: 'inherit',
        timeout: 60_000,
      })
      return program
    })
}

import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/**
 * What a file needs a process of its own for: to mock a module or a timer, to look at what its process holds, or to load native
 * code itself. Starting a process and loading the package takes half a second of a processor, longer than most files run: the
 * others follow each other in one process.
 */
const ALONE =
  /Needs a process of its own|vi\.mock|fake-timers|\/proc\/self\/(fd|maps|s)|memoryUsage|native\/|process\.env\.\w+ = |assign\(globalThis/

const files = readdirSync(new URL('test', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`)
const alone = files.filter((file) => ALONE.test(readFileSync(new URL(file, import.meta.url), 'utf8')))
const together = files.filter((file) => !alone.includes(file))

const common = {
  // A segmentation fault then fails the files of one process instead of ending the run.
  pool: 'forks' as const,
  setupFiles: ['test/setup/coverage.ts'],
  testTimeout: 30_000,
  hookTimeout: 30_000,
  // What is polled for comes when it can: on a busy machine a thread takes more than a second to start.
  expect: { poll: { timeout: 20_000 } },
  server: { deps: { external: [/\/dist\//] } },
}

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'alone', include: alone } },
      { test: { ...common, name: 'together', include: together, isolate: false } },
    ],
    // One more than there are processors: many tests wait for another process or for a while.
    maxWorkers: Math.max(2, availableParallelism() + 1),
    // Not among what is common: each project would build again.
    globalSetup: ['test/setup/build.ts'],
  },
})

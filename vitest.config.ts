import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/**
 * What a file needs a process of its own for: to mock a module, or to start what a segmentation fault, a thread that is left or
 * a lost event would be seen in. Starting a process takes half a second, longer than most of the others run: these follow each
 * other in one.
 */
const ALONE =
  /vi\.mock|fake-timers|xen-grants|SimulatedXen|simulated-world|useXen|useServer|shared-(ends|services)|new Worker|setup\/(process|client-thread)|native\/|xenstored\/daemon|(trial|world)\.js|process\.(on|exit)/

const files = readdirSync(new URL('test', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`)
const alone = files.filter((file) => ALONE.test(readFileSync(new URL(file, import.meta.url), 'utf8')))
const together = files.filter((file) => !alone.includes(file))

const common = {
  // A segmentation fault then fails one file instead of ending the run.
  pool: 'forks' as const,
  setupFiles: ['test/setup/coverage.ts'],
  testTimeout: 30_000,
  hookTimeout: 30_000,
  server: { deps: { external: [/\/dist\//] } },
}

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'alone', include: alone } },
      { test: { ...common, name: 'together', include: together, isolate: false } },
    ],
    // By default one processor is left to Vitest itself, which halves the speed of a machine with two.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Not among what is common: each project would build again.
    globalSetup: ['test/setup/build.ts'],
  },
})

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'
import { FINE } from './trial.js'

const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url)

/** By what a thread was started with: the native modules it has loaded. */
async function loaded(): Promise<Record<string, string[]>> {
  const folder = mkdtempSync(join(tmpdir(), 'xen-grants-modules-'))
  const log = join(folder, 'log')
  try {
    const hook = fixture('native-modules.mjs')
    hook.searchParams.set('log', log)
    const result = await finished(node(`--import=${hook.href}`, fixture('everything.mjs').pathname))
    expect(result).toMatchObject(FINE)
    const modules: Record<string, string[]> = {}
    for (const line of readFileSync(log, 'utf8').trim().split('\n')) {
      const { entry, native } = JSON.parse(line)
      modules[entry] ??= []
      if (native && !modules[entry].includes(native)) modules[entry].push(native)
    }
    return modules
  } finally {
    rmSync(folder, { recursive: true })
  }
}

it('native code is loaded by the workers that own a device, and by no thread that a user may terminate', async () => {
  const koffi = ['koffi.node']
  expect(await loaded()).toEqual({
    // Opens a server, a mapper and a SimulatedXen, and uses all of them.
    main: [],
    'everything.mjs?client': [],
    'filler.js': [],
    // The exception: it opens event channels.
    'everything.mjs?events': koffi,
    'device.js': koffi,
    'mapper.js': koffi,
    'events.js': koffi,
    'cleaner.js': koffi,
    'simulated-xen.js': koffi,
    'simulated-peer.js': koffi,
  })
})

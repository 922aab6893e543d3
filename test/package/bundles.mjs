// Bundles made by real bundlers: with the package kept out of them they work, with it inside every open() says what to do.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build } from 'esbuild'
import { rollup } from 'rollup'

const PROGRAM = 'bundled.mjs'

/** Formats and file names: what is CommonJS has no import.meta, and requires what is outside. */
const FORMATS = { esm: 'mjs', cjs: 'cjs' }

/** Each makes a bundle of one file, with the package outside or inside. The program is a chunk that awaits nothing at its top. */
const BUNDLERS = {
  async esbuild({ entry, outfile, format, inside }) {
    await build({
      entryPoints: [entry],
      outfile,
      format,
      bundle: true,
      platform: 'node',
      external: inside ? ['koffi', 'piscina', 'comlink'] : ['xen-grants'],
      logLevel: 'error',
    })
  },
  async rollup({ entry, outfile, format, inside }) {
    const bundle = await rollup({
      input: entry,
      external: inside ? [/^node:/, 'koffi', 'piscina', 'comlink'] : [/^node:/, /^xen-grants(\/|$)/],
      plugins: [nodeResolve({ exportConditions: ['node'] })],
    })
    await bundle.write({ file: outfile, format, inlineDynamicImports: true })
    await bundle.close()
  },
}

export async function bundles({ consumer }) {
  const complaints = []
  const entry = join(consumer, PROGRAM)
  copyFileSync(join('test/package/consumer', PROGRAM), entry)
  mkdirSync(join(consumer, 'bundles'))
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    for (const [format, extension] of Object.entries(FORMATS)) {
      for (const inside of [false, true]) {
        const what = `${name}, ${format}, the package ${inside ? 'inside' : 'outside'}`
        const outfile = join(consumer, 'bundles', `${name}-${inside ? 'inside' : 'outside'}.${extension}`)
        await bundle({ entry, outfile, format, inside })
        const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], {
          encoding: 'utf8',
          timeout: 60_000,
        })
        const opened = /^\{.*\}$/m.exec(stdout)?.[0]
        const complaint = opened && status === 0 && whatIsWrong(JSON.parse(opened), inside)
        if (complaint !== undefined)
          complaints.push(`${what}: ${complaint || 'it failed'}\n${stdout}${stderr}`)
      }
    }
  }
  return complaints
}

/** @param opened by what was opened: 'open', or the error's code and message */
function whatIsWrong(opened, inside) {
  const names = Object.keys(opened)
  if (names.length < 7) return 'not everything was tried'
  for (const [name, said] of Object.entries(opened)) {
    const right = inside
      ? /^ERR_GRANTS_UNSUPPORTED: .*keep xen-grants out of the bundle/.test(said)
      : said === 'open'
    if (!right) return `${name} said: ${said}`
  }
  return undefined
}

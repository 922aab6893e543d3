// What is said when a thread of the package cannot be started: its file has not been packed, or koffi has no binary here.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const place = mkdtempSync(join(tmpdir(), 'xen-grants-start-'))
afterAll(() => rmSync(place, { recursive: true }))

/** A copy of the compiled package without something. */
function copy(name: string, without: 'koffi' | 'workers'): string {
  const folder = join(place, name)
  cpSync(join(root, 'dist/src'), join(folder, 'dist/src'), { recursive: true })
  if (without !== 'workers')
    cpSync(join(root, 'dist/workers'), join(folder, 'dist/workers'), { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  mkdirSync(join(folder, 'node_modules'))
  for (const module of ['comlink', 'piscina', 'koffi'])
    if (module !== without)
      symlinkSync(join(root, 'node_modules', module), join(folder, 'node_modules', module))
  return folder
}

/** The errors of opening a real device, and of creating a simulated Xen; what doctor says. */
async function failures(folder: string) {
  const at = (path: string): string => JSON.stringify(pathToFileURL(join(folder, 'dist/src', path)).href)
  const program = `
    import { diagnose, GrantServer } from ${at('index.js')}
    import { SimulatedXen } from ${at('simulated/index.js')}
    const failure = (promise) => promise.then(() => 'none', ({ name, code, message }) => ({ name, code, message }))
    console.log(JSON.stringify({
      open: await failure(GrantServer.open({ device: '/dev/null' })),
      create: await failure(SimulatedXen.create()),
      finding: (await diagnose()).findings.find(({ check }) => check === 'native code'),
    }))
  `
  const { stdout, stderr } = await finished(node('--input-type=module', '--eval', program))
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

let broken: { koffi: string; workers: string }
beforeAll(() => {
  broken = { koffi: copy('one', 'koffi'), workers: copy('other', 'workers') }
})

it('without koffi: every open and create says so, and what to install, and so does doctor', async () => {
  const { open, create, finding } = await failures(broken.koffi)
  for (const error of [open, create]) {
    expect(error).toMatchObject({ name: 'GrantError', code: 'ERR_GRANTS_UNSUPPORTED' })
    expect(error.message).toMatch(/koffi.*npm install koffi/)
  }
  expect(finding).toMatchObject({ status: 'missing', message: expect.stringContaining('koffi') })
})

it('without the workers, as in a bundle: every open and create says what to keep out of it', async () => {
  const { open, create, finding } = await failures(broken.workers)
  for (const error of [open, create]) {
    expect(error).toMatchObject({ name: 'GrantError', code: 'ERR_GRANTS_UNSUPPORTED' })
    expect(error.message).toMatch(/workers\/[a-z-]+\.js is not there.*--external:xen-grants/)
  }
  expect(finding).toMatchObject({ status: 'missing', message: expect.stringContaining('external') })
})

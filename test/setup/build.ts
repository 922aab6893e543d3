import { execFileSync } from 'node:child_process'
import process from 'node:process'

/**
 * Tests run what ships: the compiled package, imported by its own name. Worker threads cannot load TypeScript on every
 * supported Node anyway. Programs that they start are a user's: they get the files that are packed (`installed.ts`).
 */
export default async function build(): Promise<void> {
  if (process.env.XEN_GRANTS_SKIP_BUILD) return
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  })
  // Coverage is told by the lines of the source.
  if (process.env.NODE_V8_COVERAGE) return
  const { installPackage } = await import('../../scripts/pack/install.mjs')
  process.env.XEN_GRANTS_INSTALLED = await installPackage('.cache/user')
}

import { execFileSync } from 'node:child_process'

/**
 * Tests run what ships: the compiled package, imported by its own name. Worker threads cannot load TypeScript on every
 * supported Node anyway.
 */
export default function build(): void {
  if (process.env.XEN_GRANTS_SKIP_BUILD) return
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  })
}

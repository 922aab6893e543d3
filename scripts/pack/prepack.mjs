// What `npm pack` and `npm publish` do before they collect files: dist/ becomes what users get. postpack makes it again what
// the compiler writes, for the tests.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { declarationFiles, programFiles, write } from './files.mjs'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
const files = [...(await programFiles('dist')), ...(await declarationFiles('dist'))]
rmSync('dist', { recursive: true })
write(files, 'dist')

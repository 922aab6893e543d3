import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'

const program = fileURLToPath(new URL('../fixtures/vchan-faults.mjs', import.meta.url))
const glibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header

it.skipIf(!glibc)(
  'what a stream has handed out and is garbage is used again, and not given to the kernel',
  async () => {
    const { stdout, stderr } = await finished(node(program))
    expect(stderr).toBe('')
    // Of a hundred pages; without it 30 to 90.
    expect(Number(stdout)).toBeLessThan(15)
  },
)

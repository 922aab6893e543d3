import { expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'

// Whoever requires an ES module in a thread that is terminated meanwhile aborts the process of Node 22.
it('what piscina requires in a filler thread is no ES module', async () => {
  const program = `require('./dist/workers/filler.cjs').then((work) => console.log(typeof work))`
  const { stdout, stderr } = await finished(node('--no-experimental-require-module', '--eval', program))
  expect(stdout, stderr).toBe('function\n')
})

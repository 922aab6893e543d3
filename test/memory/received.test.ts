import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const FIXTURE = new URL('./fixtures/received.mjs', import.meta.url).pathname
const MIB = 256
/** Of the chunks of a stream, see src/memory/received.ts. */
const COLLECTED_AFTER = 8

/**
 * What it is for is that V8 does not search the whole heap again and again, which the fixture counts too. But V8 frees in a thread
 * of its own, and on a busy machine it may be late: so that is no assertion.
 */
it('what a stream at full rate hands out is collected while it is young', async () => {
  const { stdout } = await run(process.execPath, [FIXTURE, String(MIB)])
  const { demanded } = JSON.parse(stdout)
  // The observer is told a little later: the last ones it does not hear of.
  expect(demanded).toBeGreaterThanOrEqual((MIB / COLLECTED_AFTER) * 0.75)
  expect(demanded).toBeLessThanOrEqual(MIB / COLLECTED_AFTER + 1)
})

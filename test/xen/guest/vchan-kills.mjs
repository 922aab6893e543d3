import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { gone, leavingNothing, newPath } from './vchan-checks.mjs'
import { C, Node } from './vchan-ends.mjs'
import { patternCrc } from './vchan-pattern.mjs'

/**
 * Kills a process in the middle of its traffic.
 * @param Killed what kind of end it is
 * @param ms after its first bytes
 */
export async function killOne(t, path, Killed, role, ms = 0) {
  const program = Killed(t, role, 0, path, { echo: true })
  const here = Node(t, role === 'server' ? 'client' : 'server', 0, path, { put: Infinity, seed: 4 })
  const [end] = await Promise.all([here.connected(), program.connected()])
  await once(end, 'data')
  // Beside the first bytes a server of this package removes its keys; libxenvchan when it closes.
  if (Killed !== C && role === 'server') await gone(path)
  await sleep(ms)
  const over = here.done()
  await program.kill()
  const dead = performance.now()
  const { error, received, receivedCrc } = await over
  const after = performance.now() - dead
  t.note(`closed ${after.toFixed(0)} ms after it was dead${error ? `, ${error}` : ''}`)
  assert.ok(after < 1000, `${after} ms`)
  // What it had sent back until then is whole.
  assert.equal(receivedCrc, patternCrc(4, received))
}

/** Tests that kill an end of that kind so many times in each role, at different moments. */
export function killed(Killed, times) {
  return ['server', 'client'].map((role) => ({
    name: `a ${Killed === C ? 'C' : 'Node'} ${role} is killed${times > 1 ? ` ${times} times` : ''}: the stream of the other end ends, nothing is left`,
    timeoutMs: 60_000 + 15_000 * times,
    async run(t) {
      for (let i = 0; i < times; i++) {
        const path = newPath()
        // Until it closes, libxenvchan has its keys.
        const keysStay = Killed === C && role === 'server'
        await leavingNothing(t, path, () => killOne(t, path, Killed, role, 7 * i), { keysStay })
      }
    },
  }))
}

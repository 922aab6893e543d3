import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./children/holder.mjs', import.meta.url))

/**
 * Starts children/holder.mjs.
 * @param device what the program opens: `{ module, options }`
 * @returns {Promise<import('./world.ts').Holder & { child: import('node:child_process').ChildProcess }>}
 */
export async function startHolder(device, domid, options) {
  const child = fork(program, [JSON.stringify({ device, domid, ...options })])
  const ended = once(child, 'exit')
  const tooEarly = ended.then(([code, signal]) => {
    throw new Error(`the holder ended (${signal ?? code}) before it held anything`)
  })
  const [refs] = await Promise.race([once(child, 'message'), tooEarly])
  tooEarly.catch(() => {})
  return {
    child,
    refs,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async exit() {
      child.send('exit')
      await ended
    },
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A child process that talks in lines. */
export function startProgram(command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const closed = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }))

  return {
    /** The next line it prints. */
    async line() {
      const { done, value } = await lines.next()
      if (!done) return value
      const { code, signal } = await closed
      throw new Error(`${command} ended (${signal ?? code}) instead of printing a line: ${stderr}`)
    },
    /** Writes a line to its standard input. */
    send(text) {
      child.stdin.write(`${text}\n`)
    },
    /** Everything it still prints, and how it ended. */
    async end() {
      child.stdin.end()
      const output = []
      for (let next = await lines.next(); !next.done; next = await lines.next()) output.push(next.value)
      return { output, ...(await closed) }
    },
    signal(name) {
      child.kill(name)
    },
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await closed
    },
  }
}

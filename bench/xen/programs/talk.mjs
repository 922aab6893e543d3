import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A program that answers a line by a line. */
export function talk(command, ...args) {
  const child = spawn(command, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const { done, value } = await lines.next()
    if (done) throw new Error(`${command} ${args.join(' ')} ended before it answered`)
    return value
  }
  return {
    line,
    ask(text) {
      child.stdin.write(`${text}\n`)
      return line()
    },
    async end() {
      const closed = once(child, 'close')
      child.stdin.end()
      await closed
    },
  }
}

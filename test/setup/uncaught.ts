import { once } from 'node:events'

/**
 * What nobody catches while that is done, one at least: resolves when it has been thrown. The runner would take it for a failure.
 * @param work is given what has been thrown so far
 */
export async function uncaught(work: (thrown: readonly unknown[]) => Promise<unknown>): Promise<unknown[]> {
  const others = process.listeners('uncaughtException')
  for (const other of others) process.off('uncaughtException', other)
  const thrown: unknown[] = []
  const listen = (error: unknown): void => void thrown.push(error)
  process.on('uncaughtException', listen)
  const first = once(process, 'uncaughtException')
  try {
    await work(thrown)
    await first
    return thrown
  } finally {
    process.off('uncaughtException', listen)
    for (const other of others) process.on('uncaughtException', other)
  }
}

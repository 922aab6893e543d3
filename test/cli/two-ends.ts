import { type ChildProcess, spawn } from 'node:child_process'
import { expect } from 'vitest'
import type { SimulatedXen } from 'xen-grants/simulated'
import { ZERO } from '../setup/counters.js'
import { main } from '../setup/installed.js'
import type { Finished } from '../setup/process.js'

/** A command that runs in a domain of a simulated Xen. Its standard input is open until the test ends it. */
export interface Running {
  child: ChildProcess
  stdin: NonNullable<ChildProcess['stdin']>
  /** Resolves when it has printed that, on either output. Fails when it ends before. */
  printed(text: string): Promise<void>
  end: Promise<Finished>
}

export function run(xen: { path: string }, domid: number, ...args: string[]): Running {
  const place = ['--simulated', xen.path, '--as', String(domid)]
  const child = spawn(process.execPath, [main, ...args, ...place])
  const text = { stdout: '', stderr: '' }
  let heard = (): void => {}
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('latin1').on('data', (more: string) => {
      text[name] += more
      heard()
    })
  // It may end before it has read everything.
  child.stdin.on('error', () => {})
  const end = new Promise<Finished>((resolve) =>
    child.once('close', (code, signal) => {
      resolve({ code, signal, ...text })
      heard()
    }),
  )
  const printed = (wanted: string) =>
    new Promise<void>((resolve, reject) => {
      const before = heard
      heard = () => {
        before()
        if ((text.stdout + text.stderr).includes(wanted)) resolve()
        else if (child.exitCode !== null) reject(new Error(`it ended without "${wanted}": ${text.stderr}`))
      }
      heard()
    })
  return { child, stdin: child.stdin, printed, end }
}

/** Programs that were killed have nothing left: their connections end a little after them. */
export async function nothingLeft(xen: SimulatedXen): Promise<void> {
  const { tableUsed, deferred, ...rest } = ZERO
  await expect.poll(() => xen.counters()).toMatchObject(rest)
}

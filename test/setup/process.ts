import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Collects what a child prints until it ends. */
export async function finished(child: ChildProcess): Promise<Finished> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}

export function node(...args: string[]): ChildProcess {
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The same in a process that may have so many descriptors. */
export function nodeWithFiles(limit: number, ...args: string[]): ChildProcess {
  const shell = ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, ...args]
  return spawn('sh', shell, { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs an ES module given as text, in the package's folder, so that it can import the package by name. */
export function script(text: string): Promise<Finished> {
  return finished(node('--input-type=module', '--eval', text))
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { type Counters, SimulatedXen, type SimulatedXenOptions } from 'xen-grants/simulated'
import { deviceDescriptor, type GrantDevice } from '../../dist/src/device/seam.js'
import { Kernel, type KernelOptions } from '../../src/simulated/kernel.js'

export const PAGE = 4096
export const WRITABLE = 1
export const CLEAR_BYTE = 1
export const SEND_EVENT = 2

const ZERO: Counters = {
  grants: 0,
  pages: 0,
  files: 0,
  mappings: 0,
  foreignMappings: 0,
  deferred: 0,
  tableUsed: 0,
  sessions: 0,
}

/** A kernel without files or sockets, and what it did to memory, in order. */
export function makeKernel(options: Partial<KernelOptions> & { memoryPages?: number } = {}): {
  kernel: Kernel
  memory: string[]
} {
  const memory: string[] = []
  const defaults = { limit: 1024, tableCapacity: 108, driverBugs: false, freePerIteration: 10, localDomid: 0 }
  const kernel = new Kernel(
    { ...defaults, ...options },
    {
      reserve: (first, count) => first + count <= (options.memoryPages ?? Number.POSITIVE_INFINITY),
      clearByte: (frame, offset) => memory.push(`clear ${frame}+${offset}`),
      discard: (first, count) => memory.push(`discard ${first}x${count}`),
    },
  )
  return { kernel, memory }
}

/** What Kernel.map takes, for grants of domain 0. */
export function pairs(refs: Iterable<number>): Uint32Array {
  return Uint32Array.from([...refs].flatMap((ref) => [0, ref]))
}

export async function open(xen: SimulatedXen): Promise<GrantDevice> {
  const { module, options } = xen[deviceDescriptor]
  return (await import(module)).openDevice(options)
}

/** Runs a test on a simulated Xen of its own, and checks that nothing is left of it. */
export async function withXen(
  options: SimulatedXenOptions,
  test: (xen: SimulatedXen) => Promise<void>,
  left: Partial<Counters> = {},
): Promise<void> {
  await using xen = await SimulatedXen.create({ freeInterval: 1, ...options })
  await test(xen)
  await until(xen, { ...ZERO, ...left })
}

/** Asks again and again, since some things happen a moment later: the end of a process is noticed, pages drain. */
export async function until(xen: SimulatedXen, wanted: Partial<Counters>): Promise<void> {
  const matches = (counters: Counters) =>
    Object.entries(wanted).every(([name, value]) => counters[name as keyof Counters] === value)
  for (let tries = 0; tries < 20_000; tries++) if (matches(await xen.counters())) return
  expect(await xen.counters()).toMatchObject(wanted)
}

export function expectZero(kernel: Kernel): void {
  expect(kernel.counters()).toEqual(ZERO)
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))
}

/** Starts a fixture process. @returns it and the first message it sends */
export async function start(
  name: string,
  ...args: string[]
): Promise<{ child: ChildProcess; message: unknown }> {
  const child = fork(fixture(name), args)
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code} before it had said anything`)
  })
  const [message] = await Promise.race([once(child, 'message'), ended])
  ended.catch(() => {})
  return { child, message }
}

export async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

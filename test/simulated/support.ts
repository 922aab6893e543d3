import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import {
  type Counters,
  type SimulatedDomain,
  SimulatedXen,
  type SimulatedXenOptions,
} from 'xen-grants/simulated'
import { eventDescriptor } from '../../dist/src/drivers/evtchn/event-device.js'
import { type DeviceModule, deviceDescriptor } from '../../dist/src/drivers/gntalloc/grant-device.js'
import { type MapDeviceModule, mapDescriptor } from '../../dist/src/drivers/gntdev/map-device.js'
import type { EventMemory } from '../../dist/src/simulated/kernel/event-memory.js'
import { Kernel, type KernelOptions } from '../../dist/src/simulated/kernel/kernel.js'
import { type AddressedGrants, type AddressedMaps, addressed } from '../contract/addressed.mjs'
import { EventEnd } from '../contract/event-end.mjs'
import { ZERO } from '../setup/counters.js'

export const PAGE = 4096
export const WRITABLE = 1
export const CLEAR_BYTE = 1
export const SEND_EVENT = 2

/** A kernel without files or sockets, and what it did to memory, in order. */
export function makeKernel(
  options: Partial<KernelOptions> & { memoryPages?: number; events?: EventMemory } = {},
): {
  kernel: Kernel
  memory: string[]
} {
  const memory: string[] = []
  const defaults = {
    limit: 1024,
    tableCapacity: 108,
    driverBugs: false,
    freePerIteration: 10,
    paravirtualised: false,
    xenstored: 'c' as const,
  }
  const kernel = new Kernel(
    { ...defaults, ...options },
    {
      reserve: (first, count) => first + count <= (options.memoryPages ?? Number.POSITIVE_INFINITY),
      clearByte: (frame, offset) => memory.push(`clear ${frame}+${offset}`),
      discard: (first, count) => memory.push(`discard ${first}x${count}`),
      read: (frame, offset, length) => {
        memory.push(`read ${frame}+${offset}`)
        return new Uint8Array(length).fill(frame)
      },
      write: (frame, offset, bytes) => memory.push(`write ${frame}+${offset} ${[...bytes].join()}`),
    },
    options.events,
  )
  return { kernel, memory }
}

/** What Kernel.map takes, for grants of domain 0. */
export function pairs(refs: Iterable<number>): Uint32Array {
  return Uint32Array.from([...refs].flatMap((ref) => [0, ref]))
}

/** The grant device of a domain, that of domain 0 for a SimulatedXen itself. */
export async function open(at: SimulatedXen | SimulatedDomain): Promise<AddressedGrants> {
  const { module, options } = at[deviceDescriptor]
  const { openDevice } = (await import(module)) as DeviceModule
  return addressed(await openDevice(options))
}

/** The mapping device of a domain, as `open`. */
export async function openMap(at: SimulatedXen | SimulatedDomain): Promise<AddressedMaps> {
  const { module, options } = at[mapDescriptor]
  const { openMapDevice } = (await import(module)) as MapDeviceModule
  return addressed(await openMapDevice(options))
}

/** The event channel device of a domain, as `open`. */
export async function openEvents(at: SimulatedXen | SimulatedDomain): Promise<EventEnd> {
  const { module, options } = at[eventDescriptor]
  return EventEnd.open(await import(module), options)
}

/** The references of domain 0, or another, as a mapper names them. */
export function names(refs: Iterable<number>, domid = 0): { domid: number; ref: number }[] {
  return [...refs].map((ref) => ({ domid, ref }))
}

/** What a failing call has thrown: { code, syscall, … }. */
export function failing(code: string, syscall = 'ioctl'): unknown {
  return expect.objectContaining({ name: 'GrantError', code, syscall })
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

/** Any call may fail with its errno; nothing else may be thrown. */
export function attempt(call: () => void): void {
  try {
    call()
  } catch (error) {
    expect(error).toMatchObject({ name: 'GrantError', syscall: expect.any(String) })
  }
}

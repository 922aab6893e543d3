import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import { vi } from 'vitest'

type Name = 'setTimeout' | 'clearTimeout' | 'setInterval' | 'clearInterval'

const NAMES: Name[] = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval']
const real = Object.fromEntries(NAMES.map((name) => [name, timers[name]]))

/** Vitest's fake timers, also where they are imported from node:timers, as the package does. */
export function useFakeTimers(...names: Name[]): void {
  const faked = names.length > 0 ? names : NAMES
  vi.useFakeTimers({ toFake: faked })
  for (const name of faked) Object.assign(timers, { [name]: globalThis[name] })
  syncBuiltinESMExports()
}

export function useRealTimers(): void {
  vi.useRealTimers()
  Object.assign(timers, real)
  syncBuiltinESMExports()
}

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { type: 'minor' | 'major' }) => void

let found: Collect | undefined

/** V8's own function for collecting, without the flag of the command line that shows it to all code. */
export function collector(): Collect {
  if (found) return found
  const shown = 'gc' in globalThis
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  if (!shown) setFlagsFromString('--no-expose-gc')
  found = typeof collect === 'function' ? (collect as Collect) : () => {}
  return found
}

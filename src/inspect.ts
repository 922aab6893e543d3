import { type InspectOptionsStylized, inspect } from 'node:util'

/**
 * What `console.log` shows of an object of ours: a line of what one wants to know, instead of its insides.
 * @param facts what is undefined is left out
 */
export function inLine(
  name: string,
  facts: Record<string, unknown>,
  options: InspectOptionsStylized,
): string {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined)
  const text = inspect(Object.fromEntries(shown), {
    ...options,
    depth: 1,
    breakLength: Number.POSITIVE_INFINITY,
  })
  return `${name} ${text}`
}

/** References as one reads them: the driver mostly gives them in a row. */
export function rangeOf(refs: ArrayLike<number>): string {
  const { length } = refs
  if (length === 0) return 'none'
  const [first, last] = [refs[0]!, refs[length - 1]!]
  if (length === 1) return String(first)
  let rising = true
  for (let i = 1; i < length && rising; i++) rising = refs[i] === first + i
  return rising ? `${first}…${last}` : `${first}, ${refs[1]}, … (${length})`
}

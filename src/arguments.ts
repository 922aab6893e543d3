import { inspect } from 'node:util'

/**
 * Checks of what callers pass, with the codes and the wording of Node's own errors. `name` is what the caller calls it:
 * "domid", or "options.limit" for a property.
 */

type CodedError = Error & { code: string }

/** ERR_INVALID_ARG_TYPE. @param expected "of type number", "an instance of URL" */
export function invalidArgType(name: string, expected: string, actual: unknown): TypeError & CodedError {
  const message = `The "${name}" ${kindOf(name)} must be ${expected}. Received ${describe(actual)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}

/** ERR_INVALID_ARG_VALUE: the right type, but not one of the values there are. */
export function invalidArgValue(name: string, reason: string, actual: unknown): TypeError & CodedError {
  const message = `The ${kindOf(name)} '${name}' ${reason}. Received ${shorten(inspect(actual), 128)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

/** ERR_OUT_OF_RANGE. @param range ">= 0 && <= 65535", "an integer" */
export function outOfRange(name: string, range: string, actual: unknown): RangeError & CodedError {
  const received = inspect(actual, { numericSeparator: Math.abs(Number(actual)) > 2 ** 32 })
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${received}`
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
}

/** The longest time that a timer of Node can wait, in milliseconds: with a longer one it fires at once. */
export const MAX_TIMER = 2 ** 31 - 1

/** @throws TypeError not a number, RangeError not an integer from `min` to `max` */
export function checkInteger(
  name: string,
  value: unknown,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value)
}

/** @throws TypeError */
export function checkBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value)
}

/** @throws TypeError */
export function checkString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
}

/** @throws TypeError */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value)
}

/** @throws TypeError; its reason when it has fired already, so that nothing is begun */
export function checkSignal(name: string, value: unknown): asserts value is AbortSignal | undefined {
  if (value === undefined) return
  if (!(value instanceof AbortSignal)) throw invalidArgType(name, 'an instance of AbortSignal', value)
  value.throwIfAborted()
}

/** An object that inherits nothing. Those of `Object.create(null)` are hash tables, which are slow, and each share has one. */
class Options {}
Object.setPrototypeOf(Options.prototype, null)
Reflect.deleteProperty(Options.prototype, 'constructor')

/**
 * A bag of options: an object with no key but the known ones, since a misspelt option would be ignored without a word.
 * @returns a copy, in which each has been read once: a getter may answer differently the second time. What every object
 *   inherits from `Object.prototype` is no option, and what is undefined is left out
 * @throws TypeError
 */
export function checkOptions<T extends object>(
  name: string,
  options: unknown,
  allowedKeys: readonly (keyof T & string)[],
): T {
  const checked = new Options() as T
  if (options === undefined) return checked
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgType(name, 'of type object', options)
  }
  for (const key of Object.keys(options)) {
    if ((allowedKeys as readonly string[]).includes(key)) continue
    const nearest = nearestOf(key, allowedKeys)
    const hint =
      nearest === undefined ? `Known options: ${allowedKeys.join(', ')}` : `Did you mean '${nearest}'?`
    const message = `The property '${name}.${key}' is not an option. ${hint}`
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  for (const key of allowedKeys) {
    const value = (options as T)[key]
    if (value === undefined || (key in Object.prototype && !Object.hasOwn(options, key))) continue
    checked[key] = value
  }
  return checked
}

function kindOf(name: string): 'property' | 'argument' {
  return name.includes('.') ? 'property' : 'argument'
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const maker: unknown = value.constructor
    return typeof maker === 'function' && maker.name !== ''
      ? `an instance of ${maker.name}`
      : inspect(value, { depth: -1 })
  }
  return `type ${typeof value} (${shorten(inspect(value), 28)})`
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 3)}...` : text
}

/** The key that at most half of `word` would have to change for, if any. */
function nearestOf(word: string, keys: readonly string[]): string | undefined {
  const lower = word.toLowerCase()
  const ranked = keys.map((key) => ({ key, distance: editDistance(lower, key.toLowerCase()) }))
  ranked.sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= word.length / 2 ? best.key : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

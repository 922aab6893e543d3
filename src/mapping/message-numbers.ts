import { GrantError } from '../errors.js'

/**
 * A number of a message to the mapping worker. The client has checked what its caller gave it: what is refused here can only come
 * from something other than this package's client.
 *
 * @throws GrantError ERR_GRANTS_PROTOCOL
 */
export function checkNumber(what: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number
  const range = `must be an integer from ${min} to ${max}`
  throw new GrantError('ERR_GRANTS_PROTOCOL', `the ${what} in a message ${range}, is ${String(value)}`)
}

import { GrantError, markForeign } from '../errors.js'

/**
 * An error as plain data. Structured clone keeps neither `code`, `errno`, `syscall` nor the class of a subclass, and
 * comlink keeps less, so errors cross threads in this form and are rebuilt on the other side.
 */
export interface ErrorEnvelope {
  class: string
  name: string
  message: string
  stack: string | undefined
  fields: Record<string, unknown>
  cause?: ErrorEnvelope
}

const builtIn: Record<string, new (message: string) => Error> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
}

/** Causes nest at most this deep: a cause may be its own. */
const CAUSE_DEPTH = 8

export function toEnvelope(error: unknown, depth = 0): ErrorEnvelope {
  if (!(error instanceof Error)) {
    return {
      class: 'Error',
      name: 'Error',
      message: `thrown: ${String(error)}`,
      stack: undefined,
      fields: {},
    }
  }
  const fields: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(error)) {
    // It travels by itself, to a limited depth: who assigns one makes it a field like any other.
    if (key === 'cause') continue
    const copy = clone(value)
    if (copy !== undefined || value === undefined) fields[key] = copy
  }
  // Node's own errors carry their code without making it enumerable in every version.
  const code = clone((error as { code?: unknown }).code)
  if (code !== undefined) fields.code = code
  const envelope: ErrorEnvelope = {
    class: error instanceof GrantError ? 'GrantError' : (nearestBuiltIn(error) ?? 'Error'),
    name: error.name,
    message: error.message,
    stack: error.stack,
    fields,
  }
  if (error.cause !== undefined && depth < CAUSE_DEPTH) envelope.cause = toEnvelope(error.cause, depth + 1)
  return envelope
}

export function fromEnvelope(envelope: ErrorEnvelope): Error {
  const { class: className, name, message, stack, fields, cause } = envelope
  const error =
    className === 'GrantError'
      ? new GrantError(String(fields.code), message, fields)
      : new (builtIn[className] ?? Error)(message)
  Object.assign(error, fields)
  if (error.name !== name)
    Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (cause)
    Object.defineProperty(error, 'cause', { value: fromEnvelope(cause), configurable: true, writable: true })
  if (stack) Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  markForeign(error)
  return error
}

function nearestBuiltIn(error: Error): string | undefined {
  return Object.keys(builtIn).find((name) => error instanceof builtIn[name]!)
}

/** What another thread can be told; undefined for a function, for one. */
function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' || typeof value === 'symbol' ? undefined : value
  try {
    return structuredClone(value)
  } catch {
    return undefined
  }
}

import type { Buffer } from 'node:buffer'

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' }

/** Bytes that any domain may have written, without what would steer the terminal: printable ASCII, the rest as `\xff`. */
export function escaped(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(
      /[^ !#-[\]-~]/g,
      (character) => NAMED[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
}

import { crc32 } from 'node:zlib'

/**
 * One result per line: marker, running number, checksum, JSON in ASCII. The number shows a lost line, the checksum a
 * damaged one; a serial port promises neither.
 */
const MARKER = '@@XG'

export function encode(sequence, event) {
  const json = JSON.stringify(event).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${MARKER} ${sequence} ${crc32(json).toString(16)} ${json}\n`
}

/** @returns the event and its number, or undefined for a line that is none of ours. @throws on a damaged line */
export function decode(line) {
  const start = line.indexOf(MARKER)
  if (start < 0) return undefined
  const match = /^@@XG (\d+) ([0-9a-f]+) (.*)$/.exec(line.slice(start))
  if (!match || crc32(match[3]).toString(16) !== match[2]) throw new Error(`damaged result line: ${line}`)
  return { sequence: Number(match[1]), event: JSON.parse(match[3]) }
}

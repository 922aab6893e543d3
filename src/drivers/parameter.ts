import { readFileSync } from 'node:fs'

/** The number in a file of /sys. A kernel may lack it, or keep it from this user (0600): then it is unknown, no error. */
export function readParameter(path: string): number | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}

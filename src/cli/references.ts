import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** What has been granted, as far as whoever maps it is told. */
export interface Granted {
  refs: number[]
  /** Of the data, when the last page is not full. */
  bytes?: number | undefined
  /** The domain that may map them. */
  domid?: number | undefined
  /** Directory of the simulated Xen they are in. */
  simulated?: string | undefined
}

/**
 * Reads references: those that `share` prints, or its line of JSON, after which nothing more is waited for. Tens of thousands of
 * them do not fit an argument list.
 * @param input is destroyed: who still writes to it must not keep this process alive
 * @throws Error when it is neither
 */
export async function readGranted(input: Readable): Promise<Granted> {
  const refs: number[] = []
  try {
    for await (const line of createInterface({ input })) {
      if (refs.length === 0 && line.trimStart().startsWith('{')) return fromJson(line)
      refs.push(...parseReferences(line))
    }
    return { refs }
  } finally {
    input.destroy()
  }
}

/** @throws Error */
export function parseReferences(text: string): number[] {
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((word) => {
      if (!/^\d+$/.test(word)) throw new Error(`"${word.slice(0, 40)}" is no grant reference`)
      return Number(word)
    })
}

function fromJson(line: string): Granted {
  let value: Partial<Record<keyof Granted, unknown>>
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new Error('standard input is neither a list of references nor what share --json prints', { cause })
  }
  const { refs, bytes, domid, simulated } = value
  const isCount = (one: unknown): one is number => Number.isSafeInteger(one) && (one as number) >= 0
  if (!Array.isArray(refs) || !refs.every(isCount))
    throw new Error('the JSON on standard input names no refs')
  return {
    refs,
    bytes: isCount(bytes) ? bytes : undefined,
    domid: isCount(domid) ? domid : undefined,
    simulated: typeof simulated === 'string' ? simulated : undefined,
  }
}

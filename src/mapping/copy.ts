import { GNTST_NAMES, GNTST_OKAY, PAGE_SIZE } from '../abi.js'
import { checkInteger, checkOptions, invalidArgType, outOfRange } from '../arguments.js'
import type { CopySegment, CopySide } from '../drivers/gntdev/map-device.js'

/** A place inside a grant. */
export interface GrantPlace {
  domid: number
  ref: number
  /** Byte in the page, 0 to 4095. Default 0. */
  offset?: number | undefined
}

/** One segment of a grant copy. At least one side is a grant, and neither goes beyond its page. */
export interface CopyOptions {
  source: GrantPlace | Uint8Array
  target: GrantPlace | Uint8Array
  /** Bytes; may be left out when a side is memory, whose length it then is. */
  length?: number | undefined
}

/** How one segment of a copy went. */
export interface CopyResult {
  /** 0, or the negative GNTST_ code of Xen's `public/grant_table.h`. */
  status: number
  /** Its name there: 'GNTST_okay', 'GNTST_general_error' for what is not granted to this domain, … */
  name: string
}

export function copyResults(statuses: Int16Array): CopyResult[] {
  const results: CopyResult[] = []
  for (const status of statuses) results.push({ status, name: GNTST_NAMES.get(status) ?? `GNTST_${status}` })
  return results
}

/** A copy that is ready to be sent to the worker. */
export interface CheckedCopy {
  segments: CopySegment[]
  /** Writes what was copied for ordinary memory to where it belongs. @param statuses those of the segments */
  deliver(statuses: Int16Array): void
}

/**
 * @returns the segments, in which every local side is shared memory: the caller's own, or a copy of what another thread
 * cannot reach
 */
export function checkSegments(value: unknown): CheckedCopy {
  if (!Array.isArray(value)) throw invalidArgType('segments', 'an array', value)
  const bounce = new Bounce()
  const segments = value.map((segment: unknown, i) => {
    const name = `segments[${i}]`
    const { source, target, length } = checkOptions<CopyOptions>(name, segment, [
      'source',
      'target',
      'length',
    ])
    if (source instanceof Uint8Array && target instanceof Uint8Array) {
      throw invalidArgType(`${name}.target`, 'a grant, when the source is memory', target)
    }
    const memory = [source, target].find((side) => side instanceof Uint8Array)
    const bytes = length ?? memory?.byteLength
    checkInteger(`${name}.length`, bytes, 1, Math.min(PAGE_SIZE, memory?.byteLength ?? PAGE_SIZE))
    return {
      source: source instanceof Uint8Array ? source : grantSide(`${name}.source`, source, bytes),
      target: target instanceof Uint8Array ? target : grantSide(`${name}.target`, target, bytes),
      length: bytes,
    }
  })
  return bounce.through(segments)
}

type UncheckedSide = CopySide | Uint8Array

/** Ordinary memory goes through shared memory of its own: that cannot be detached, shrunk or collected meanwhile. */
class Bounce {
  readonly #arriving: { segment: number; from: Uint8Array; to: Uint8Array }[] = []
  #room = 0

  through(segments: { source: UncheckedSide; target: UncheckedSide; length: number }[]): CheckedCopy {
    const ordinary = (side: UncheckedSide): side is Uint8Array =>
      side instanceof Uint8Array && !(side.buffer instanceof SharedArrayBuffer)
    for (const { source, target, length } of segments)
      if (ordinary(source) || ordinary(target)) this.#room += length
    const shared = new SharedArrayBuffer(this.#room)
    let at = 0
    const place = (length: number): Uint8Array => {
      at += length
      return new Uint8Array(shared, at - length, length)
    }
    const checked = segments.map(({ source, target, length }, segment): CopySegment => {
      let [from, to] = [source, target]
      if (ordinary(source)) {
        from = place(length)
        from.set(source.subarray(0, length))
      } else if (ordinary(target)) {
        to = place(length)
        this.#arriving.push({ segment, from: to, to: target })
      }
      return { source: sideOf(from), target: sideOf(to), length }
    })
    return { segments: checked, deliver: (statuses) => this.#deliver(statuses) }
  }

  #deliver(statuses: Int16Array): void {
    for (const { segment, from, to } of this.#arriving)
      if (statuses[segment] === GNTST_OKAY && to.byteLength >= from.byteLength) to.set(from)
  }
}

function sideOf(side: UncheckedSide): CopySide {
  if (!(side instanceof Uint8Array)) return side
  return { buffer: side.buffer as SharedArrayBuffer, offset: side.byteOffset }
}

function grantSide(name: string, value: GrantPlace, length: number): CopySide {
  const { domid, ref, offset = 0 } = checkOptions<GrantPlace>(name, value, ['domid', 'ref', 'offset'])
  checkInteger(`${name}.domid`, domid, 0, 0xffff)
  checkInteger(`${name}.ref`, ref, 1, 0xffff_ffff)
  checkInteger(`${name}.offset`, offset, 0, PAGE_SIZE - 1)
  if (offset + length > PAGE_SIZE) {
    throw outOfRange(`${name}.offset`, `<= ${PAGE_SIZE - length}: a piece must not cross its page`, offset)
  }
  return { domid, ref, offset }
}

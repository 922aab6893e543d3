import { PAGE_SIZE } from '../abi.js'

export interface Range {
  /** Bytes from the start of the grant. */
  from: number
  to: number
  sliceBytes: number
}

export interface Slice {
  index: number
  start: number
  end: number
}

function base({ from }: Range): number {
  return from - (from % PAGE_SIZE)
}

/** How many slices a range makes. Cuts lie at multiples of `sliceBytes` from the page that holds `from`. */
export function sliceCount(range: Range): number {
  return Math.ceil((range.to - base(range)) / range.sliceBytes)
}

export function sliceAt(range: Range, index: number): Slice {
  const start = base(range) + index * range.sliceBytes
  return { index, start: Math.max(range.from, start), end: Math.min(range.to, start + range.sliceBytes) }
}

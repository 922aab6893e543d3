import type { ErrorEnvelope } from '../threads/envelope.js'

/** What one filler thread does: take slices of a grant until none is left. */
export interface FillTask {
  /** The grant's memory, all of it. */
  buffer: SharedArrayBuffer
  /** Part of it to fill, in bytes. Slices are cut at multiples of `sliceBytes` from the page that holds `from`. */
  from: number
  to: number
  sliceBytes: number
  /** See `src/fill/control.ts`. */
  control: SharedArrayBuffer
  /** Which of the job's tasks this is. */
  slot: number
  work: FillWork
}

export type FillWork =
  | { kind: 'byte'; byte: number }
  /** Shared with the calling thread, or handed over by it. */
  | { kind: 'memory'; bytes: Uint8Array }
  | { kind: 'file'; fd: number; position: number }
  | { kind: 'module'; url: string; args: unknown; grant: FillerGrant }

/** What a pooled worker needs to know of the grant to act on it through the device worker. */
export interface FillerGrant {
  id: number
  domid: number
  pages: number
  refs: Uint32Array
  /** -1 for pages that are mapped, not granted, by this domain. */
  deviceThread: number
}

/** `results` are pairs of slice index and what the module returned for it. */
export type FillOutcome = { results: [number, unknown][] } | { error: ErrorEnvelope }

/** From a filler thread, beside its outcomes: a module threw when its run was over. */
export interface FillerNotice {
  lateError: ErrorEnvelope
}

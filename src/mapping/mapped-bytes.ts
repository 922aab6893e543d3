/** What writes into a typed array. */
type Store = 'set' | 'fill' | 'copyWithin' | 'reverse' | 'sort'

/**
 * Bytes that may be looked at but not written: a store is a SIGSEGV, since the pages are mapped for reading only and
 * JavaScript has no view that knows. The type offers no stores; it passes where a `Uint8Array` is wanted for reading, by
 * a hash or a write to a file for example.
 */
export interface ReadOnlyBytes
  extends Omit<Uint8Array<SharedArrayBuffer>, Store | 'subarray' | number>,
    Readonly<Record<Store, never>> {
  readonly [index: number]: number
  /** As that of a `Uint8Array`: a part of the same memory, without copy. */
  subarray(begin?: number, end?: number): ReadOnlyBytes
}

/** The type of the `bytes` of a mapping. */
export type MappedBytes<Writable extends boolean> = Writable extends true
  ? Uint8Array<SharedArrayBuffer>
  : ReadOnlyBytes

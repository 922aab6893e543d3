export type Nothing = Record<never, never>

/** A file of some device has been opened. */
export interface OpenedReply {
  file: number
  /** What each call of the device is to take, in milliseconds. */
  ioctlDelay: number
}

/** Something has been mapped. `numbers` are the frames, one per page. */
export interface MappedReply {
  mapping: number
  numbers: Uint32Array
}

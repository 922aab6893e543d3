import {
  CopySegmentLayout as At,
  ForeignPage,
  GNTCOPY_DEST_GREF,
  GNTCOPY_SOURCE_GREF,
  GrantCopy,
} from '../../abi.js'
import { addressOf } from '../../native/libc.js'
import { setOffset } from '../file-offset.js'
import type { CopySegment, CopySide } from './map-device.js'

/** The buffers of GRANT_COPY: the request and, since it only points to them, the segments. Reused from call to call. */
export class CopyRequest {
  readonly #request = new DataView(new ArrayBuffer(GrantCopy.size))
  /** Of buffers that this call has met: most segments are of one, and to ask for an address takes longer than to copy a page. */
  readonly #addresses = new Map<SharedArrayBuffer, number>()
  #segments = new DataView(new ArrayBuffer(At.size))

  /** @returns the argument of the ioctl, good until the next `fill` */
  fill(segments: readonly CopySegment[]): DataView {
    const size = Math.max(1, segments.length) * At.size
    if (this.#segments.byteLength < size) this.#segments = new DataView(new ArrayBuffer(size))
    for (const [i, { source, target, length }] of segments.entries()) {
      const at = i * At.size
      const sourceFlag = this.#side(at + At.source, source) ? GNTCOPY_SOURCE_GREF : 0
      const targetFlag = this.#side(at + At.dest, target) ? GNTCOPY_DEST_GREF : 0
      this.#segments.setUint16(at + At.len, length, true)
      this.#segments.setUint16(at + At.flags, sourceFlag | targetFlag, true)
      this.#segments.setInt16(at + At.status, 0, true)
    }
    // A buffer is not to be held beyond the call.
    this.#addresses.clear()
    this.#request.setUint32(GrantCopy.count, segments.length, true)
    const address = addressOf(new Uint8Array(this.#segments.buffer))
    setOffset(this.#request, GrantCopy.segments, address)
    return this.#request
  }

  /** What the driver has written for each segment. */
  statuses(count: number): Int16Array {
    const statuses = new Int16Array(count)
    for (let i = 0; i < count; i++) statuses[i] = this.#segments.getInt16(i * At.size + At.status, true)
    return statuses
  }

  /** @returns whether it is a grant */
  #side(at: number, side: CopySide): boolean {
    if ('buffer' in side) {
      setOffset(this.#segments, at, this.#addressOf(side.buffer) + side.offset)
      return false
    }
    this.#segments.setUint32(at + ForeignPage.ref, side.ref, true)
    this.#segments.setUint16(at + ForeignPage.offset, side.offset, true)
    this.#segments.setUint16(at + ForeignPage.domid, side.domid, true)
    return true
  }

  #addressOf(buffer: SharedArrayBuffer): number {
    let address = this.#addresses.get(buffer)
    if (address === undefined) {
      address = addressOf(new Uint8Array(buffer))
      this.#addresses.set(buffer, address)
    }
    return address
  }
}

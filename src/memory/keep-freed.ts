import { Buffer } from 'node:buffer'

/** In bytes: just below the most that glibc takes into account, 32 MiB. V8 lets some tens of MiB come together before it frees them. */
const BLOCK = 31 << 20

let kept = false

/**
 * For those who hand out much memory that is soon garbage. V8 frees it in bulk, and glibc gives the end of its heap back to the
 * kernel each time, which has to find and clear every page of it again: that takes longer than filling it, in a
 * paravirtualised domain longer still, since Xen takes part in it. glibc keeps twice the size of the largest block that has ever been freed
 * (mallopt(3), M_MMAP_THRESHOLD): so one is freed here, which nothing has ever been written to. It respects the settings that
 * a program was started with (MALLOC_TRIM_THRESHOLD_).
 */
export function keepFreed(): void {
  if (kept) return
  kept = true
  Buffer.allocUnsafeSlow(BLOCK)
}

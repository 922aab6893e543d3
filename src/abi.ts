/**
 * The kernel ABI this package speaks: ioctl numbers, struct layouts, flags.
 *
 * Source: Linux `include/uapi/xen/gntalloc.h` (the structs are quoted by name below). The layouts are the same on
 * x86-64 and arm64; 32-bit callers are not supported by the driver. All fields are little-endian on both.
 */

/** Size of a grant page in bytes. A grant always covers 4 KiB, whatever page size the kernel uses. */
export const PAGE_SIZE = 4096

/**
 * First domid that names no real domain (Xen `public/xen.h`, DOMID_FIRST_RESERVED). The driver accepts such a domid
 * without a word, but nobody can ever map the result.
 */
export const DOMID_FIRST_RESERVED = 0x7ff0

/** `_IOC(_IOC_NONE, type, nr, size)` of `asm-generic/ioctl.h`: direction 2 bits, size 14, type 8, number 8. */
export function ioctlNumber(type: string, nr: number, size: number): number {
  const IOC_NONE = 0
  return ((IOC_NONE << 30) | (size << 16) | (type.charCodeAt(0) << 8) | nr) >>> 0
}

/**
 * `struct ioctl_gntalloc_alloc_gref`. `grefIds` is a trailing array of one u32 per page; the header's own size counts
 * one of them and pads to 8 bytes, which is what the ioctl number encodes. The driver always copies `size` bytes in and
 * out, so a buffer is never smaller than that.
 */
export const AllocGref = {
  size: 24,
  domid: 0,
  flags: 2,
  count: 4,
  index: 8,
  grefIds: 16,
} as const

/** `struct ioctl_gntalloc_dealloc_gref`. */
export const DeallocGref = { size: 16, index: 0, count: 8 } as const

/** `struct ioctl_gntalloc_unmap_notify`. */
export const UnmapNotify = { size: 16, index: 0, action: 8, eventChannelPort: 12 } as const

export const IOCTL_GNTALLOC_ALLOC_GREF = ioctlNumber('G', 5, AllocGref.size)
export const IOCTL_GNTALLOC_DEALLOC_GREF = ioctlNumber('G', 6, DeallocGref.size)
export const IOCTL_GNTALLOC_SET_UNMAP_NOTIFY = ioctlNumber('G', 7, UnmapNotify.size)

/** The peer may write. Every other flag bit is ignored by the driver. */
export const GNTALLOC_FLAG_WRITABLE = 1

/** On unmap: set the byte at the given index to zero. */
export const UNMAP_NOTIFY_CLEAR_BYTE = 0x1
/** On unmap: send an interrupt on the given event channel. */
export const UNMAP_NOTIFY_SEND_EVENT = 0x2

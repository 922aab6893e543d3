/**
 * The kernel ABI this package speaks: ioctl numbers, struct layouts, flags.
 *
 * Source: Linux `include/uapi/xen/gntalloc.h`, `gntdev.h` and `evtchn.h` (the structs are quoted by name below) and, for
 * what the hypervisor itself answers, Xen `public/grant_table.h`. The layouts are the same on x86-64 and arm64; 32-bit
 * callers are not supported. All fields are little-endian on both.
 */

/** Size of a grant page in bytes. A grant always covers 4 KiB, whatever page size the kernel uses. */
export const PAGE_SIZE = 4096

/**
 * First domid that names no real domain (Xen `public/xen.h`, DOMID_FIRST_RESERVED). The driver accepts such a domid
 * without an error, but no domain can ever map the result.
 */
export const DOMID_FIRST_RESERVED = 0x7ff0

/** The domid that means none (Xen `public/xen.h`). No domain can map pages granted to it. */
export const DOMID_INVALID = 0x7ff4

/** Beyond the last port of every event channel ABI, so that nothing is ever bound to it. */
export const NO_PORT = 0xffff_ffff

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

/**
 * `struct ioctl_gntdev_map_grant_ref`. `refs` is a trailing array of `struct ioctl_gntdev_grant_ref` {domid u32, ref u32};
 * the header's own size, which the ioctl number encodes, counts one of them.
 */
export const MapGrantRef = { size: 24, count: 0, index: 8, refs: 16, refSize: 8 } as const

/** `struct ioctl_gntdev_unmap_grant_ref`. */
export const UnmapGrantRef = { size: 16, index: 0, count: 8 } as const

/** `struct ioctl_gntdev_get_offset_for_vaddr`. */
export const GetOffsetForVaddr = { size: 24, vaddr: 0, offset: 8, count: 16 } as const

/** `struct ioctl_gntdev_grant_copy`. `segments` is a pointer. gntdev's unmap_notify has the layout of gntalloc's. */
export const GrantCopy = { size: 16, count: 0, segments: 8 } as const

/**
 * `struct gntdev_grant_copy_segment`. Source and target are each a u64 address (`virt`) or a {@link ForeignPage}; `flags`
 * tells which. `status` is a signed 16-bit result.
 */
export const CopySegmentLayout = { size: 24, source: 0, dest: 8, len: 16, flags: 18, status: 20 } as const

/** The `foreign` side of a copy segment: a grant and where in its page. */
export const ForeignPage = { ref: 0, offset: 4, domid: 6 } as const

export const IOCTL_GNTDEV_MAP_GRANT_REF = ioctlNumber('G', 0, MapGrantRef.size)
export const IOCTL_GNTDEV_UNMAP_GRANT_REF = ioctlNumber('G', 1, UnmapGrantRef.size)
export const IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR = ioctlNumber('G', 2, GetOffsetForVaddr.size)
export const IOCTL_GNTDEV_SET_UNMAP_NOTIFY = ioctlNumber('G', 7, UnmapNotify.size)
export const IOCTL_GNTDEV_GRANT_COPY = ioctlNumber('G', 8, GrantCopy.size)

/** `GNTCOPY_*` of Xen `public/grant_table.h`: which sides of a copy are grants. */
export const GNTCOPY_SOURCE_GREF = 1
export const GNTCOPY_DEST_GREF = 2

/** `GNTST_*` of Xen `public/grant_table.h`, by value: what became of one grant operation. */
export const GNTST_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'GNTST_okay'],
  [-1, 'GNTST_general_error'],
  [-2, 'GNTST_bad_domain'],
  [-3, 'GNTST_bad_gntref'],
  [-4, 'GNTST_bad_handle'],
  [-5, 'GNTST_bad_virt_addr'],
  [-6, 'GNTST_bad_dev_addr'],
  [-7, 'GNTST_no_device_space'],
  [-8, 'GNTST_permission_denied'],
  [-9, 'GNTST_bad_page'],
  [-10, 'GNTST_bad_copy_arg'],
  [-11, 'GNTST_address_too_big'],
  [-12, 'GNTST_eagain'],
  [-13, 'GNTST_no_space'],
])
export const GNTST_OKAY = 0
export const GNTST_GENERAL_ERROR = -1
export const GNTST_BAD_DOMAIN = -2
export const GNTST_BAD_GNTREF = -3

/** `struct ioctl_evtchn_bind_virq`. */
export const BindVirq = { size: 4, virq: 0 } as const
/** `struct ioctl_evtchn_bind_interdomain`. */
export const BindInterdomain = { size: 8, remoteDomain: 0, remotePort: 4 } as const
/** `struct ioctl_evtchn_bind_unbound_port`. */
export const BindUnboundPort = { size: 4, remoteDomain: 0 } as const
/** `struct ioctl_evtchn_unbind` and `struct ioctl_evtchn_notify`. */
export const EvtchnPort = { size: 4, port: 0 } as const
/** `struct ioctl_evtchn_restrict_domid`. */
export const RestrictDomid = { size: 2, domid: 0 } as const

/** The bind requests return the local port, at least 1, as the result of the ioctl. */
export const IOCTL_EVTCHN_BIND_VIRQ = ioctlNumber('E', 0, BindVirq.size)
export const IOCTL_EVTCHN_BIND_INTERDOMAIN = ioctlNumber('E', 1, BindInterdomain.size)
export const IOCTL_EVTCHN_BIND_UNBOUND_PORT = ioctlNumber('E', 2, BindUnboundPort.size)
export const IOCTL_EVTCHN_UNBIND = ioctlNumber('E', 3, EvtchnPort.size)
export const IOCTL_EVTCHN_NOTIFY = ioctlNumber('E', 4, EvtchnPort.size)
export const IOCTL_EVTCHN_RESET = ioctlNumber('E', 5, 0)
export const IOCTL_EVTCHN_RESTRICT_DOMID = ioctlNumber('E', 6, RestrictDomid.size)

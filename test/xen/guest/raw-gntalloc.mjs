import {
  AllocGref,
  DeallocGref,
  IOCTL_GNTALLOC_ALLOC_GREF,
  IOCTL_GNTALLOC_DEALLOC_GREF,
  IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
  UnmapNotify,
} from '../../../dist/src/abi.js'
import { ioctl } from './raw.mjs'

// The three requests of gntalloc on a bare descriptor, for what the device class rightly never sends.

export function alloc(fd, { domid = 0, flags = 1, count = 1, request = IOCTL_GNTALLOC_ALLOC_GREF } = {}) {
  const view = new DataView(new ArrayBuffer(Math.max(AllocGref.size, AllocGref.grefIds + 4 * count)))
  view.setUint16(AllocGref.domid, domid, true)
  view.setUint16(AllocGref.flags, flags, true)
  view.setUint32(AllocGref.count, count, true)
  const { error } = ioctl(fd, request, new Uint8Array(view.buffer))
  return {
    error,
    flags: view.getUint16(AllocGref.flags, true),
    index: Number(view.getBigUint64(AllocGref.index, true)),
    refs: [...new Uint32Array(view.buffer, AllocGref.grefIds, count)],
  }
}

export function dealloc(fd, index, count) {
  const view = new DataView(new ArrayBuffer(DeallocGref.size))
  view.setBigUint64(DeallocGref.index, BigInt(index), true)
  view.setUint32(DeallocGref.count, count, true)
  return ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, new Uint8Array(view.buffer))
}

export function setUnmapNotify(fd, index, action, port = 0) {
  const view = new DataView(new ArrayBuffer(UnmapNotify.size))
  view.setBigUint64(UnmapNotify.index, BigInt(index), true)
  view.setUint32(UnmapNotify.action, action, true)
  view.setUint32(UnmapNotify.eventChannelPort, port, true)
  return ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, new Uint8Array(view.buffer))
}

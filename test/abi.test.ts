import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as abi from '../src/abi.js'

/** The structs of Linux include/uapi/xen/gntalloc.h, which is in the public domain. */
const header = `
#include <linux/types.h>
#include <linux/ioctl.h>
#include <stddef.h>
#include <stdio.h>
struct ioctl_gntalloc_alloc_gref { __u16 domid; __u16 flags; __u32 count; __u64 index; __u32 gref_ids[1]; };
struct ioctl_gntalloc_dealloc_gref { __u64 index; __u32 count; };
struct ioctl_gntalloc_unmap_notify { __u64 index; __u32 action; __u32 event_channel_port; };
#define NR(n, s) (unsigned long)_IOC(_IOC_NONE, 'G', n, sizeof(struct s))
#define OFF(s, f) offsetof(struct s, f)
int main(void) {
  printf("[%lu,%lu,%lu,", NR(5, ioctl_gntalloc_alloc_gref), NR(6, ioctl_gntalloc_dealloc_gref), NR(7, ioctl_gntalloc_unmap_notify));
  printf("%zu,%zu,%zu,", sizeof(struct ioctl_gntalloc_alloc_gref), sizeof(struct ioctl_gntalloc_dealloc_gref), sizeof(struct ioctl_gntalloc_unmap_notify));
  printf("%zu,%zu,%zu,%zu,%zu,", OFF(ioctl_gntalloc_alloc_gref, domid), OFF(ioctl_gntalloc_alloc_gref, flags), OFF(ioctl_gntalloc_alloc_gref, count), OFF(ioctl_gntalloc_alloc_gref, index), OFF(ioctl_gntalloc_alloc_gref, gref_ids));
  printf("%zu,%zu,", OFF(ioctl_gntalloc_dealloc_gref, index), OFF(ioctl_gntalloc_dealloc_gref, count));
  printf("%zu,%zu,%zu]", OFF(ioctl_gntalloc_unmap_notify, index), OFF(ioctl_gntalloc_unmap_notify, action), OFF(ioctl_gntalloc_unmap_notify, event_channel_port));
  return 0;
}
`

const compiler = ['gcc', 'cc'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

describe('the ABI', () => {
  it('has the ioctl numbers the driver was observed to accept', () => {
    expect(abi.IOCTL_GNTALLOC_ALLOC_GREF).toBe(0x0018_4705)
    expect(abi.IOCTL_GNTALLOC_DEALLOC_GREF).toBe(0x0010_4706)
    expect(abi.IOCTL_GNTALLOC_SET_UNMAP_NOTIFY).toBe(0x0010_4707)
  })

  it.skipIf(!compiler)('agrees with a C compiler on every number, size and offset (needs gcc)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'xen-grants-abi-'))
    writeFileSync(join(folder, 'abi.c'), header)
    execFileSync(compiler!, ['-o', join(folder, 'abi'), join(folder, 'abi.c')])
    const { AllocGref, DeallocGref, UnmapNotify } = abi
    expect(JSON.parse(execFileSync(join(folder, 'abi'), { encoding: 'utf8' }))).toEqual([
      abi.IOCTL_GNTALLOC_ALLOC_GREF,
      abi.IOCTL_GNTALLOC_DEALLOC_GREF,
      abi.IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
      ...[AllocGref.size, DeallocGref.size, UnmapNotify.size],
      ...[AllocGref.domid, AllocGref.flags, AllocGref.count, AllocGref.index, AllocGref.grefIds],
      ...[DeallocGref.index, DeallocGref.count],
      ...[UnmapNotify.index, UnmapNotify.action, UnmapNotify.eventChannelPort],
    ])
  })
})

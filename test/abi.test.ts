import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as abi from '../src/abi.js'

/** Linux's own headers (linux-libc-dev). They leave these two types to whoever includes them. */
const headers = ['gntalloc', 'gntdev', 'evtchn'].map((name) => `/usr/include/xen/${name}.h`)
const include = `
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <linux/types.h>
#include <linux/ioctl.h>
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;
${headers.map((path) => `#include "${path}"`).join('\n')}
`

const compiler = ['gcc', 'cc'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})
const cannotCompile = !compiler || !headers.every((path) => existsSync(path))

/** What a C compiler makes of constant expressions. */
function compiled(expressions: string[], prologue = include): Record<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'xen-grants-abi-'))
  try {
    const lines = expressions.map((text) => `printf("%ld\\n", (long)(${text}));`).join('\n')
    writeFileSync(join(folder, 'abi.c'), `${prologue}\nint main(void) {\n${lines}\nreturn 0;\n}\n`)
    execFileSync(compiler!, ['-o', join(folder, 'abi'), join(folder, 'abi.c')])
    const values = execFileSync(join(folder, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number)
    return Object.fromEntries(expressions.map((text, i) => [text, values[i]!]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Each layout of ours: the C struct, and the C name of each of our fields. */
const structs: [struct: string, layout: Record<string, number>, fields: Record<string, string>][] = [
  [
    'ioctl_gntalloc_alloc_gref',
    abi.AllocGref,
    { domid: 'domid', flags: 'flags', count: 'count', index: 'index', grefIds: 'gref_ids' },
  ],
  ['ioctl_gntalloc_dealloc_gref', abi.DeallocGref, { index: 'index', count: 'count' }],
  [
    'ioctl_gntalloc_unmap_notify',
    abi.UnmapNotify,
    { index: 'index', action: 'action', eventChannelPort: 'event_channel_port' },
  ],
  [
    'ioctl_gntdev_unmap_notify',
    abi.UnmapNotify,
    { index: 'index', action: 'action', eventChannelPort: 'event_channel_port' },
  ],
  ['ioctl_gntdev_map_grant_ref', abi.MapGrantRef, { count: 'count', index: 'index', refs: 'refs' }],
  ['ioctl_gntdev_unmap_grant_ref', abi.UnmapGrantRef, { index: 'index', count: 'count' }],
  [
    'ioctl_gntdev_get_offset_for_vaddr',
    abi.GetOffsetForVaddr,
    { vaddr: 'vaddr', offset: 'offset', count: 'count' },
  ],
  ['ioctl_gntdev_grant_copy', abi.GrantCopy, { count: 'count', segments: 'segments' }],
  [
    'gntdev_grant_copy_segment',
    abi.CopySegmentLayout,
    { source: 'source', dest: 'dest', len: 'len', flags: 'flags', status: 'status' },
  ],
  ['ioctl_evtchn_bind_virq', abi.BindVirq, { virq: 'virq' }],
  [
    'ioctl_evtchn_bind_interdomain',
    abi.BindInterdomain,
    { remoteDomain: 'remote_domain', remotePort: 'remote_port' },
  ],
  ['ioctl_evtchn_bind_unbound_port', abi.BindUnboundPort, { remoteDomain: 'remote_domain' }],
  ['ioctl_evtchn_unbind', abi.EvtchnPort, { port: 'port' }],
  ['ioctl_evtchn_notify', abi.EvtchnPort, { port: 'port' }],
  ['ioctl_evtchn_restrict_domid', abi.RestrictDomid, { domid: 'domid' }],
]

const numbers = Object.entries(abi).filter(([name]) => name.startsWith('IOCTL_')) as [string, number][]

describe('the ABI', () => {
  it('has the ioctl numbers the drivers were observed to accept', () => {
    expect(Object.fromEntries(numbers)).toEqual({
      IOCTL_GNTALLOC_ALLOC_GREF: 0x0018_4705,
      IOCTL_GNTALLOC_DEALLOC_GREF: 0x0010_4706,
      IOCTL_GNTALLOC_SET_UNMAP_NOTIFY: 0x0010_4707,
      IOCTL_GNTDEV_MAP_GRANT_REF: 0x0018_4700,
      IOCTL_GNTDEV_UNMAP_GRANT_REF: 0x0010_4701,
      IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR: 0x0018_4702,
      IOCTL_GNTDEV_SET_UNMAP_NOTIFY: 0x0010_4707,
      IOCTL_GNTDEV_GRANT_COPY: 0x0010_4708,
      IOCTL_EVTCHN_BIND_VIRQ: 0x0004_4500,
      IOCTL_EVTCHN_BIND_INTERDOMAIN: 0x0008_4501,
      IOCTL_EVTCHN_BIND_UNBOUND_PORT: 0x0004_4502,
      IOCTL_EVTCHN_UNBIND: 0x0004_4503,
      IOCTL_EVTCHN_NOTIFY: 0x0004_4504,
      IOCTL_EVTCHN_RESET: 0x0000_4505,
      IOCTL_EVTCHN_RESTRICT_DOMID: 0x0002_4506,
    })
  })

  it.skipIf(cannotCompile)('agrees with Linux on every number, size and offset (needs gcc, headers)', () => {
    const expected: Record<string, number> = Object.fromEntries(numbers)
    for (const [struct, layout, fields] of structs) {
      expected[`sizeof(struct ${struct})`] = layout.size!
      for (const [ours, theirs] of Object.entries(fields))
        expected[`offsetof(struct ${struct}, ${theirs})`] = layout[ours]!
    }
    const foreign = 'struct gntdev_grant_copy_segment, dest.foreign'
    for (const field of ['ref', 'offset', 'domid'] as const)
      expected[`offsetof(${foreign}.${field})`] = abi.CopySegmentLayout.dest + abi.ForeignPage[field]
    expected['sizeof(struct ioctl_gntdev_grant_ref)'] = abi.MapGrantRef.refSize
    expected['offsetof(struct ioctl_gntdev_grant_ref, ref)'] = 4
    expected.UNMAP_NOTIFY_CLEAR_BYTE = abi.UNMAP_NOTIFY_CLEAR_BYTE
    expected.UNMAP_NOTIFY_SEND_EVENT = abi.UNMAP_NOTIFY_SEND_EVENT
    expect(compiled(Object.keys(expected))).toEqual(expected)
  })

  const xenHeader = '/usr/include/xen/grant_table.h'
  it.skipIf(!compiler || !existsSync(xenHeader))('agrees with Xen on what a grant copy says', () => {
    const expected = Object.fromEntries([...abi.GNTST_NAMES].map(([value, name]) => [name, value]))
    expected.GNTCOPY_source_gref = abi.GNTCOPY_SOURCE_GREF
    expected.GNTCOPY_dest_gref = abi.GNTCOPY_DEST_GREF
    const prologue = `#include <stdio.h>\n#include <stdint.h>\n#include "${xenHeader}"`
    expect(compiled(Object.keys(expected), prologue)).toEqual(expected)
  })
})

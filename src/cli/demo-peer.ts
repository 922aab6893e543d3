import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { GrantMapper } from '../index.js'
import { SimulatedXen } from '../simulated/index.js'
import type { PeerPlace, PeerRequest, PeerVerdict } from './demo-peer-process.js'

/** The peer's side of the demo: a process of its own, which knows nothing but references. */
async function check({ place, refs, size }: PeerRequest): Promise<PeerVerdict> {
  const began = performance.now()
  const mapped = await map(place, refs)
  const sha256 = createHash('sha256').update(mapped.bytes.subarray(0, size)).digest('hex')
  const milliseconds = performance.now() - began
  await mapped.unmap()
  return { pid: process.pid, pages: refs.length, sha256, milliseconds }
}

interface Mapped {
  bytes: Uint8Array
  unmap(): Promise<void>
}

async function map(place: PeerPlace, refs: number[]): Promise<Mapped> {
  const xen = 'simulated' in place ? await SimulatedXen.attach(place.simulated) : undefined
  const mapper = await GrantMapper.open(xen && 'domid' in place ? { device: xen.domain(place.domid) } : {})
  const domid = 'granter' in place ? place.granter : 0
  const mapped = await mapper.map({ domid, refs })
  return {
    bytes: mapped.bytes,
    unmap: async () => {
      await mapper.close()
      await xen?.close()
    },
  }
}

const [request] = (await once(process, 'message')) as [PeerRequest]
try {
  process.send!(await check(request))
} catch (error) {
  process.send!({ error: (error as Error).message })
}

import { createHash } from 'node:crypto'
import { once } from 'node:events'
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

async function map(place: PeerPlace, refs: number[]): Promise<{ bytes: Uint8Array; unmap(): Promise<void> }> {
  if ('granter' in place) throw new Error('mapping on a real Xen is not built yet')
  const xen = await SimulatedXen.attach(place.simulated)
  const mapped = await xen.domain(place.domid).map(refs)
  return {
    bytes: mapped.bytes,
    unmap: async () => {
      await mapped.unmap()
      await xen.close()
    },
  }
}

const [request] = (await once(process, 'message')) as [PeerRequest]
try {
  process.send!(await check(request))
} catch (error) {
  process.send!({ error: (error as Error).message })
}

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { Xen } from '../index.js'
import { SimulatedXen } from '../simulated/index.js'
import type { CheckVerdict, PeerPlace, PeerRequest } from './demo-peer-process.js'
import { receiveAll } from './demo-streams.js'

/** The peer's side of the demo: a process of its own, which knows nothing but what it is told. */
let simulated: SimulatedXen | undefined
let xen: Xen | undefined

async function serve(request: PeerRequest): Promise<unknown> {
  switch (request.kind) {
    case 'place':
      return open(request.place)
    case 'check':
      return check(xen!, request)
    case 'stream':
      return receiveAll(xen!, request)
  }
}

async function open(place: PeerPlace): Promise<void> {
  if (place.simulated !== undefined) simulated = await SimulatedXen.attach(place.simulated)
  xen = await Xen.open(simulated && { on: simulated.domain(place.domid) })
}

async function check(
  here: Xen,
  { granter, refs, size }: Extract<PeerRequest, { kind: 'check' }>,
): Promise<CheckVerdict> {
  const began = performance.now()
  const mapper = await here.mapper()
  await using mapped = await mapper.map({ domid: granter, refs })
  const sha256 = createHash('sha256').update(mapped.bytes.subarray(0, size)).digest('hex')
  const milliseconds = performance.now() - began
  return { pid: process.pid, pages: refs.length, sha256, milliseconds }
}

process.on('message', (request: PeerRequest) => {
  serve(request).then(
    (verdict) => process.send!({ verdict }),
    (error: Error) => process.send!({ error: error.message }),
  )
})
await once(process, 'disconnect')
await xen?.close()
await simulated?.close()

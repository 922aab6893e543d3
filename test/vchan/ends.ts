import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import { afterEach, beforeEach } from 'vitest'
import { Xen } from 'xen-grants'
import type { SimulatedXen } from 'xen-grants/simulated'
import { type ServeOptions, Vchan } from 'xen-grants/vchan'

/** Resolves when a stream is over and has given everything back. */
export async function ended(stream: Duplex): Promise<void> {
  stream.resume()
  if (!stream.closed) await once(stream, 'close')
}

/** Why a stream is over. */
export async function failure(stream: Duplex): Promise<unknown> {
  const error = await finished(stream.resume()).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  await ended(stream)
  return error
}

/** Domain 3, which serves, and domain 5, which connects. */
export function useEnds(simulated: { readonly xen: SimulatedXen }) {
  let server: Xen
  let client: Xen
  let open: Vchan[] = []
  beforeEach(async () => {
    server = await Xen.open({ on: simulated.xen.domain(3) })
    client = await Xen.open({ on: simulated.xen.domain(5) })
  })
  afterEach(async () => {
    for (const end of open) end.destroy()
    await Promise.all(open.map(ended))
    open = []
    await Promise.all([server.close(), client.close()])
  })
  return {
    get server() {
      return server
    },
    get client() {
      return client
    },
    /** Closes them after the test. */
    keep(...ends: Vchan[]): void {
      open.push(...ends)
    },
    async pair(options: Partial<ServeOptions> = {}): Promise<[server: Vchan, client: Vchan]> {
      const path = 'data/vchan/5/test'
      const pair = await Promise.all([
        Vchan.serve(server, { domid: 5, path, ...options }),
        Vchan.connect(client, { domid: 3, path }),
      ])
      open.push(...pair)
      return pair
    },
  }
}

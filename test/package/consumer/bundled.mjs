// A program that opens everything there is to open: on a simulated Xen, or, where that cannot be made, whatever is there.
import { EventChannels, GrantMapper, GrantServer, Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { Vchan } from 'xen-grants/vchan'
import { XenStore } from 'xen-grants/xenstore'

async function main() {
  const simulated = await SimulatedXen.create().catch((error) => error)
  const device = simulated instanceof Error ? undefined : simulated.domain(3)
  const said = { SimulatedXen: device ? 'open' : describe(simulated) }
  const attempts = {
    GrantServer: async () => {
      const server = await GrantServer.open({ device })
      const grant = await server.share({ domid: 7, pages: 1 })
      // A file is read by the pool.
      await grant.fill({ file: process.execPath, length: 4096 })
      return server.close()
    },
    GrantMapper: async () => (await GrantMapper.open({ device })).close(),
    EventChannels: async () => (await EventChannels.open({ device })).close(),
    XenStore: async () => (await XenStore.open(device ? { path: device } : { path: '/dev/null' })).close(),
    Xen: async () => {
      const xen = await Xen.open({ on: device })
      await xen.grants()
      return xen.close()
    },
    attach: async () => device && (await SimulatedXen.attach(simulated.path)).close(),
    Vchan: async () => {
      const xen = await Xen.open({ on: device })
      const signal = AbortSignal.timeout(5000)
      const ends = [
        Vchan.serve(xen, { domid: 5, path: 'data/x', signal }),
        device &&
          Xen.open({ on: simulated.domain(5) }).then((other) =>
            Vchan.connect(other, { domid: 3, path: '/local/domain/3/data/x', signal }),
          ),
      ]
      for (const end of await Promise.all(ends)) end.destroy()
      return xen.close()
    },
  }
  // It asks a socket only: the one of a Xen that is there.
  if (!device) delete attempts.attach
  for (const [name, attempt] of Object.entries(attempts))
    said[name] = await attempt().then(() => 'open', describe)
  console.log(JSON.stringify(said))
  process.exit(0)
}

function describe(error) {
  return `${error.code}: ${error.message}`
}

main()

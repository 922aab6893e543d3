// A user's CommonJS module, from TypeScript 5.8 on: what Node 20.19 can require, it knows.
import grants = require('xen-grants')
import simulated = require('xen-grants/simulated')

export async function use(): Promise<grants.Grant> {
  const server = await grants.GrantServer.open({ device: await simulated.SimulatedXen.create() })
  return server.share({ domid: 7, pages: 1 })
}

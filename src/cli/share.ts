import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import process from 'node:process'
import { clearInterval, setInterval } from 'node:timers'
import { GrantServer, type ServerOptions } from '../index.js'
import { SimulatedXen } from '../simulated/index.js'

const PAGE_SIZE = 4096

export interface ShareCommand {
  domid: number
  file: string
  writable?: boolean
  json?: boolean
  device: NonNullable<ServerOptions['device']>
  /** In a simulated Xen: one of its own, or that of a directory. */
  simulated?: true | string
}

/** Holds the grant until SIGINT or SIGTERM, then gives it back. */
export async function share(command: ShareCommand): Promise<void> {
  const { domid, file, writable = false, json, device } = command
  const { size } = await stat(file)
  if (size === 0) throw new Error(`${file} is empty: there is nothing to share`)
  const pages = Math.ceil(size / PAGE_SIZE)
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  await using xen = await simulatedXen(command.simulated, pages)
  await using server = await GrantServer.open({ device: xen ?? device })
  await using grant = await server.share({ domid, pages, writable })
  await grant.fill({ file })
  const refs = [...grant.refs]
  if (json) {
    const where = xen && { simulated: xen.path }
    process.stdout.write(`${JSON.stringify({ domid, pages, bytes: size, writable, ...where, refs })}\n`)
  } else {
    process.stdout.write(`${refs.join(' ')}\n`)
    process.stderr.write(`${pages} pages granted to domain ${domid}, ${size} bytes; ^C gives them back\n`)
    if (xen)
      process.stderr.write(
        `simulated: xen-grants map --simulated ${xen.path} --as ${domid} --domid 0 --refs …\n`,
      )
  }
  // Waiting for a signal keeps no event loop alive.
  const awake = setInterval(() => {}, 2 ** 30)
  await interrupted
  clearInterval(awake)
}

async function simulatedXen(
  where: true | string | undefined,
  pages: number,
): Promise<SimulatedXen | undefined> {
  if (where === undefined) return undefined
  if (where !== true) return SimulatedXen.attach(where)
  const room = 2 * pages + 1024
  return SimulatedXen.create({ limit: room, tableCapacity: room })
}

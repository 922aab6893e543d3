import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { GrantServer, type ServerOptions } from '../index.js'

const PAGE_SIZE = 4096

export interface ShareCommand {
  domid: number
  file: string
  writable?: boolean
  json?: boolean
  device: NonNullable<ServerOptions['device']>
}

/** Holds the grant until SIGINT or SIGTERM, then gives it back. */
export async function share({ domid, file, writable = false, json, device }: ShareCommand): Promise<void> {
  const { size } = await stat(file)
  if (size === 0) throw new Error(`${file} is empty: there is nothing to share`)
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  await using server = await GrantServer.open({ device })
  await using grant = await server.share({ domid, pages: Math.ceil(size / PAGE_SIZE), writable })
  await grant.fill({ file })
  const { pages } = grant
  const refs = [...grant.refs]
  if (json) {
    process.stdout.write(`${JSON.stringify({ domid, pages, bytes: size, writable, refs })}\n`)
  } else {
    process.stdout.write(`${refs.join(' ')}\n`)
    process.stderr.write(`${pages} pages granted to domain ${domid}, ${size} bytes; ^C gives them back\n`)
  }
  // Waiting for a signal keeps no event loop alive.
  const awake = setInterval(() => {}, 2 ** 30)
  await interrupted
  clearInterval(awake)
}

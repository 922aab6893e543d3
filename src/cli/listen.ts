import process from 'node:process'
import { onAbort } from '../abort.js'
import { listen, type Service } from '../vchan.js'
import { execTalk } from './exec-talk.js'
import { interruptible } from './interrupt.js'
import { hostPlace, type PlaceOptions } from './place.js'
import { onReaderGone } from './standard-output.js'
import { StandardInput, talk } from './stdio-talk.js'

export interface ListenCommand extends PlaceOptions {
  domid: number
  exec?: string
  keep?: boolean
  quitAfter?: number
  window: number
}

/** Serves programs of another domain with standard input and output, or each with a command. */
export async function listenCommand(name: string, command: ListenCommand): Promise<void> {
  const { domid, exec, keep = false, quitAfter, window, ...where } = command
  using interrupt = interruptible()
  const { signal } = interrupt
  await using place = await hostPlace(where)
  // With standard input and output there is one at a time.
  const one = exec !== undefined && keep ? {} : { maxConnections: 1 }
  await using service = await listen(place.xen, { name, domids: [domid], window, signal, ...one })
  const stop = (): void => void service.close({ force: true }).catch(() => {})
  const takeBack = onAbort(signal, stop)
  onReaderGone(stop)
  process.stderr.write(`listening for domain ${domid} as "${name}"\n`)
  try {
    const serving =
      exec === undefined ? serveInTurn(service, quitAfter, keep) : serveEach(service, exec, keep)
    await serving
  } finally {
    takeBack()
  }
}

async function serveInTurn(service: Service, quitAfter: number | undefined, keep: boolean): Promise<void> {
  using input = new StandardInput()
  for await (const socket of service) {
    const talking = talk(socket, input, quitAfter)
    if (!keep) return await last(service, talking)
    await talking.catch(tell)
  }
}

async function serveEach(service: Service, exec: string, keep: boolean): Promise<void> {
  const serving = new Set<Promise<void>>()
  for await (const socket of service) {
    const talking = execTalk(exec, socket)
    if (!keep) return await last(service, talking)
    const told = talking.catch(tell).finally(() => serving.delete(told))
    serving.add(told)
  }
  await Promise.all(serving)
}

/** No more connections. */
async function last(service: Service, talking: Promise<void>): Promise<void> {
  service.close().catch(() => {})
  await talking
}

/** One connection that fails is not the end of the others. */
function tell(error: Error): void {
  process.stderr.write(`xen-grants: ${error.message}\n`)
}

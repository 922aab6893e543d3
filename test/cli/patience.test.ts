// What `send --timeout` waits for, in one process.
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { receiverOf, untilSilent } from '../../dist/src/cli/patience.js'
import { sendFile } from '../../dist/src/net/transfer/send-file.js'
import { CLIENT, useServices } from '../net/shared-services.js'

const net = useServices()
const never = new AbortController().signal

/** What a source has that is written to from outside, piece by piece; an empty one is its end. */
function source() {
  const pieces: Buffer[] = []
  let wake = (): void => {}
  return {
    name: 'slow',
    size: undefined,
    push(text: string): void {
      pieces.push(Buffer.from(text))
      wake()
    },
    async read(into: Buffer): Promise<number> {
      while (pieces.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      return pieces.shift()!.copy(into)
    },
  }
}

it('the first receiver is handed out, and the signal ends the waiting for one', async () => {
  const service = await net.listen()
  const first = receiverOf(service, 60, never)
  await net.connect()
  expect(net.keep(await first).domid).toBe(CLIENT)
  const stop = new AbortController()
  const second = receiverOf(service, 60, stop.signal)
  stop.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
})

it('a receiver that takes nothing is given up', async () => {
  const service = await net.listen()
  await net.connect()
  const server = net.keep(await receiverOf(service, undefined, never))
  const slow = source()
  slow.push('x'.repeat(300_000))
  const sending = sendFile(server, untilSilent(server, slow, 0.05), { hash: false })
  await expect(sending).rejects.toMatchObject({
    code: 'ETIMEDOUT',
    message: 'the receiver has taken nothing for 0.05 s',
  })
})

it('a slow source is waited for, but not a receiver that does not say whether it has kept the file', async () => {
  const service = await net.listen()
  const client = await net.connect()
  let heard = ''
  client.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1')
  })
  const server = net.keep(await receiverOf(service, undefined, never))
  const slow = source()
  const sending = sendFile(server, untilSilent(server, slow, 0.05), { hash: false })
  sending.catch(() => {})
  await once(server, 'timeout')
  slow.push('late')
  await expect.poll(() => heard).toContain('late')
  slow.push('')
  await expect(sending).rejects.toMatchObject({ code: 'ETIMEDOUT' })
})

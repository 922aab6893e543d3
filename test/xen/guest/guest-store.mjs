// In a guest: one test of the contract of a store for each line that asks for it.
// usage: guest-store.mjs <its domid>      lines: test <number>
import { createInterface } from 'node:readline'
import { runInGuest } from './real-store.mjs'

/** An answer of the guest's agent has room for 3000 bytes. */
const ROOM = 2000
const domid = Number(process.argv[2])

for await (const line of createInterface({ input: process.stdin })) {
  const failure = await runInGuest(Number(line.split(' ')[1]), domid).then(
    () => null,
    (error) => String(error.stack).slice(0, ROOM),
  )
  console.log(`test ${JSON.stringify(failure)}`)
}

// Answers every event of a channel by one, until standard input closes. Prints "bound" when it is ready.
//
//   echo.mjs <port of domain 0>
import { once } from 'node:events'
import { EventChannels } from '../../../dist/src/index.js'

const events = await EventChannels.open()
const channel = await events.bindInterdomain(0, Number(process.argv[2]))
// Binding makes the port fire once by itself: that one is not answered.
await channel.wait()
channel.on('event', () => channel.notify())
console.log('bound')
process.stdin.resume()
await once(process.stdin, 'end')
await events.close()

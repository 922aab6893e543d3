// A thread whose two ends of a channel answer each other for ever, until it is ended.
import { parentPort } from 'node:worker_threads'
import { EventChannels } from '../../../dist/src/index.js'

const channels = await EventChannels.open()
const near = await channels.bindUnbound(0)
const far = await channels.bindInterdomain(0, near.port)
let answered = false
for (const channel of [near, far]) {
  channel.on('event', () => {
    channel.notify()
    if (!answered) parentPort.postMessage([near.port, far.port])
    answered = true
  })
}

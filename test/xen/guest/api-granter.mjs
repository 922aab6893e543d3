// Grants pages to a domain through the public API, offered with an event channel, and obeys lines on standard input.
//
//   api-granter.mjs <domid> <pages>
//
// Page p is filled with the byte p + 1. Prints "offer <json>"; each line is answered by one:
//   "peer"            "peer <state>"
//   "released <ms>"   "released <state, or timeout>"
//   "unshare <ms>"    waits that long for the release, takes back: "deferred <pages>"
import { createInterface } from 'node:readline'
import { EventChannels, GrantServer } from '../../../dist/src/index.js'

const [domid, pages] = process.argv.slice(2).map(Number)
const server = await GrantServer.open()
const events = await EventChannels.open()
const grant = await server.share({ domid, pages })
for (let page = 0; page < pages; page++) grant.bytes.fill(page + 1, page * 4096, (page + 1) * 4096)
console.log(`offer ${JSON.stringify(await grant.offer({ channel: await events.bindUnbound(domid) }))}`)

const answers = {
  peer: async () => grant.peer,
  released: (ms) => grant.released({ signal: AbortSignal.timeout(ms) }).catch((error) => timeout(error)),
  unshare: async (ms) => {
    await grant.unshare({ whenReleased: true, timeout: ms })
    return (await server.stats()).deferred.pages
  },
}

function timeout(error) {
  if (error.name === 'TimeoutError') return 'timeout'
  throw error
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ms] = line.split(' ')
  console.log(`${command} ${JSON.stringify(await answers[command](Number(ms)))}`)
}

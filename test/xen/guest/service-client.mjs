// What a client of this domain makes of a service: service-client.mjs <domid> <name> <bytes> <requests>. Sends bytes to the echo
// service <name> and takes them back, then asks the HTTP service <name>-web over connections that are kept. With 0 requests it
// does not. Prints "done" and what came.
import { once } from 'node:events'
import http from 'node:http'
import { crc32 } from 'node:zlib'
import { Xen } from 'xen-grants'
import { connect, VchanAgent } from 'xen-grants/vchan'
import { pattern, patternCrc } from './vchan-pattern.mjs'

const [domid, name, bytes, requests] = process.argv.slice(2)
const from = { domid: Number(domid), timeout: 120_000 }
const xen = await Xen.open()

async function echoed(length) {
  const socket = await connect(xen, { ...from, name })
  socket.write(pattern(1, 0, length))
  let [received, crc] = [0, 0]
  for await (const chunk of socket) {
    received += chunk.length
    crc = crc32(chunk, crc)
    if (received === length) break
  }
  return { received, equal: crc === patternCrc(1, length) }
}

async function answers(count) {
  const agent = new VchanAgent(xen, { domid: from.domid, name: `${name}w`, keepAlive: true, maxSockets: 2 })
  let right = 0
  const one = async (i) => {
    const [response] = await once(http.get({ agent, path: `/${i}` }), 'response')
    let text = ''
    for await (const chunk of response) text += chunk
    if (text === `/${i}`) right++
  }
  await Promise.all(Array.from({ length: count }, (_, i) => one(i)))
  agent.destroy()
  return right
}

try {
  const echo = await echoed(Number(bytes))
  const right = Number(requests) > 0 ? await answers(Number(requests)) : 0
  console.log(`done ${JSON.stringify({ ...echo, right })}`)
  await xen.close()
} catch (error) {
  console.log(`Error ${error.code} ${error.message}`)
}

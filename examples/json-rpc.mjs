// Calls from one domain to another: JSON-RPC 2.0, a message per line. Answers come in any order, and are matched by their id.
//
//   node examples/json-rpc.mjs
//
// Here both are domains of a simulated Xen, in two processes. On a real one leave `on` out.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen } from 'xen-grants/vchan'

const [SERVER, CLIENT] = [3, 5]
const [, , path] = process.argv
/** The other domain need not mean well: a line without an end does not fill this one's memory. */
const MAX_LINE = 64 << 10

/** The messages of a stream. */
async function* messages(stream) {
  let rest = ''
  stream.setEncoding('utf8')
  for await (const text of stream) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    if (rest.length > MAX_LINE) throw new Error('a line is too long')
    for (const line of lines) yield JSON.parse(line)
  }
}

const methods = {
  add: ([a, b]) => a + b,
  slow: async ([milliseconds]) => {
    await setTimeout(milliseconds)
    return 'at last'
  },
}

async function serve(socket) {
  for await (const { id, method, params } of messages(socket)) {
    // Not awaited: the next call does not wait for the answer to this one.
    void (async () => {
      const answer = { jsonrpc: '2.0', id }
      try {
        if (!Object.hasOwn(methods, method)) throw new Error(`there is no method ${method}`)
        answer.result = await methods[method](params)
      } catch (error) {
        answer.error = { code: -32603, message: error.message }
      }
      if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`)
    })()
  }
}

/** @returns a function that calls the other end. All that it has asked fails when the connection ends */
function caller(socket) {
  const waiting = new Map()
  let last = 0
  const listening = async () => {
    for await (const { id, result, error } of messages(socket)) {
      const call = waiting.get(id)
      waiting.delete(id)
      if (error) call?.reject(new Error(error.message))
      else call?.resolve(result)
    }
    throw new Error('the other end has closed')
  }
  listening().catch((error) => {
    socket.destroy()
    for (const { reject } of waiting.values()) reject(error)
  })
  return (method, ...params) =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, { resolve, reject })
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    })
}

async function client(simulated) {
  const xen = await Xen.open({ on: simulated.domain(CLIENT) })
  const call = caller(await connect(xen, { domid: SERVER, name: 'rpc' }))
  await Promise.all([
    call('slow', 20).then((text) => console.log('slow says:', text)),
    call('add', 19, 23).then((sum) => console.log('19 + 23 =', sum)),
    call('quit').catch((error) => console.log('refused:', error.message)),
  ])
  await xen.close()
}

if (path === undefined) {
  const simulated = await SimulatedXen.create()
  const child = fork(import.meta.filename, [simulated.path])
  const ended = once(child, 'exit')
  await client(simulated)
  child.disconnect()
  await ended
  await simulated.close()
} else {
  const simulated = await SimulatedXen.attach(path)
  const xen = await Xen.open({ on: simulated.domain(SERVER) })
  await listen(xen, { name: 'rpc', domids: [CLIENT] }, (socket) => {
    // One client that does not speak the protocol is no matter for the others.
    serve(socket).catch((error) => socket.destroy(error))
    socket.on('error', (error) => console.error(`domain ${socket.domid}: ${error.message}`))
  })
  await once(process, 'disconnect')
  await xen.close()
  await simulated.close()
}

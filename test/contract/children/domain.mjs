// A program of one domain, for the contract of two: a GrantServer, a GrantMapper and EventChannels that obey lines on
// standard input until it closes. A line is a command and its arguments as JSON; its answer is a line with the same command
// and the result as JSON, or {"refused": code}. What is shared, mapped or bound is kept under the id that the caller names.
//
//   domain.mjs [<path of a simulated Xen> <domid>]     without, for the domain that it runs in
import { createInterface } from 'node:readline'
import { EventChannels, GrantMapper, GrantServer } from 'xen-grants'

const [path, domid] = process.argv.slice(2)

async function simulatedDevice() {
  const { SimulatedXen } = await import('xen-grants/simulated')
  return (await SimulatedXen.attach(path)).domain(Number(domid))
}

const options = path === undefined ? {} : { device: await simulatedDevice() }
const server = await GrantServer.open(options)
const mapper = await GrantMapper.open(options)
const events = await EventChannels.open(options)
const kept = new Map()

const commands = {
  async share({ id, byte = 0, ...request }) {
    const grant = await server.share(request)
    kept.set(id, grant)
    grant.bytes.fill(byte)
    return grant.refs.length > 16 ? [grant.refs[0]] : [...grant.refs]
  },
  async map({ id, notify, ...request }) {
    const { offset: clearByte, channel } = notify ?? {}
    const unmapNotify = notify && { unmapNotify: { clearByte, port: kept.get(channel).port } }
    kept.set(id, await mapper.map({ ...request, ...unmapNotify }))
    return true
  },
  /** Whether it could be mapped just now. */
  async tryMap(request) {
    await (await mapper.map(request)).unmap()
    return true
  },
  read: ({ id, at }) => at.map((offset) => kept.get(id).bytes[offset]),
  write({ id, at, byte }) {
    kept.get(id).bytes[at] = byte
    return true
  },
  /** Between grants, or from one into memory: what has been copied, if it is that. */
  async copy({ source, target, length }) {
    const memory = new Uint8Array(length)
    const [{ name }] = await mapper.copy([{ source, target: target ?? memory, length }])
    return { name, bytes: [...memory] }
  },
  async offer({ id, channel }) {
    return kept.get(id).offer(channel ? { channel: kept.get(channel) } : {})
  },
  mapOffer: ({ id, ...request }) => commands.map({ id, events, ...request }),
  peer: ({ id }) => kept.get(id).peer,
  released: ({ id }) => kept.get(id).released({ signal: AbortSignal.timeout(20_000) }),
  /** Ends what is kept under the id: unshares, unmaps, or unbinds. */
  async end({ id }) {
    const thing = kept.get(id)
    kept.delete(id)
    await thing[Symbol.asyncDispose]()
    return true
  },
  async bind({ id, domid, port }) {
    const channel = await (port === undefined
      ? events.bindUnbound(domid)
      : events.bindInterdomain(domid, port))
    kept.set(id, channel)
    // The binding end gets an event without cause.
    if (port !== undefined) await channel.wait()
    return channel.port
  },
  notify({ id }) {
    kept.get(id).notify()
    return true
  },
  async event({ id }) {
    await kept.get(id).wait({ signal: AbortSignal.timeout(20_000) })
    return true
  },
  async stats() {
    const { grants, pages, deferred } = await server.stats()
    return { kept: kept.size, grants, pages, deferred: deferred.pages }
  },
}

console.log(`ready ${process.pid}`)
for await (const line of createInterface({ input: process.stdin })) {
  const [command] = line.split(' ', 1)
  const answer = await Promise.resolve(commands[command](JSON.parse(line.slice(command.length))))
    .catch(({ code, name }) => ({ refused: code ?? name }))
    .then(JSON.stringify)
  console.log(`${command} ${answer}`)
}
await mapper.close()
await server.close()
await events.close()
process.exit()

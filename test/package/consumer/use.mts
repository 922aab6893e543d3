// What a user writes: compiled against the packed declarations by every supported TypeScript, see ../types.mjs.
import {
  diagnose,
  EventChannels,
  type Grant,
  GrantClient,
  GrantError,
  GrantMapper,
  GrantServer,
  type SliceFunction,
  Xen,
} from 'xen-grants'
import { Monitor, type MonitorSnapshot } from 'xen-grants/monitor'
import { SimulatedXen } from 'xen-grants/simulated'
import { connect, listen, Vchan, VchanAgent } from 'xen-grants/vchan'
import { type StoreChange, type StoreView, XenStore, XenStoreError } from 'xen-grants/xenstore'

export async function use(): Promise<number> {
  const xen = await SimulatedXen.create({ limit: 5 })
  const server: GrantServer = await GrantServer.open({ device: xen })
  const grant: Grant = await server.share({ domid: 7, pages: 1 })
  const bytes: Uint8Array = grant.bytes
  const memory: SharedArrayBuffer = grant.bytes.buffer
  if (memory.byteLength === 0) return 0
  // @ts-expect-error: they have a type under every compiler
  const wrong: string = grant.bytes
  if (wrong) return 0
  await GrantClient.connect(server.connect())
  return bytes.length
}

declare const signal: AbortSignal | undefined

export async function more(
  server: GrantServer,
  chunks: import('node:stream/web').ReadableStream<Uint8Array>,
): Promise<unknown> {
  // What may be left out may be undefined.
  await using grant = await server.share({ domid: 7, pages: 1, writable: undefined, signal })
  await grant.fill(chunks, { signal, onProgress: undefined })
  const lengths: number[] = await grant.run<number, { seed: number }>('x.mjs', { args: { seed: 1 }, signal })
  await using pool = await server.pool({ domid: 7, pages: 1, grants: 1, signal })
  await using acquired: Grant = await pool.acquire({ signal })
  // @ts-expect-error: an option that does not exist
  await server.share({ domid: 7, page: 1 })
  return [lengths, acquired.refs]
}

export async function store(): Promise<StoreChange | undefined> {
  const opened: XenStore = await XenStore.open({ path: '/run/xenstored/socket' })
  const length: number = await opened.transaction(async (t: StoreView) => (await t.read('data')).length)
  for await (const change of opened.watch('data')) if (length > 0) return change
  const error: unknown = await opened.closed
  return error instanceof XenStoreError && error.code === 'ENOENT' ? undefined : { path: '/', initial: true }
}

export async function monitored(server: GrantServer): Promise<MonitorSnapshot | string> {
  await using monitor = await Monitor.open({ servers: [server], path: undefined })
  return monitor.path
}

// Types that are inferred: a declaration of them must be able to name everything.
export async function both() {
  const simulated = await SimulatedXen.create()
  const xen = await Xen.open({ on: simulated.domain(3) })
  const mapper = await GrantMapper.open({ device: simulated.domain(5) })
  const events = await EventChannels.open({ device: simulated.domain(5) })
  const stream = await Vchan.connect(xen, { domid: 5, path: 'data/x' })
  const service = await listen(xen, { name: 'echo', domids: [5] }, (socket) => socket.pipe(socket))
  const socket = await connect(xen, { domid: 5, name: 'echo' })
  const agent = new VchanAgent(xen, { domid: 5, name: 'http' })
  return {
    simulated,
    domain: simulated.domain(3),
    mapper,
    events,
    stream,
    service,
    socket,
    agent,
    found: await diagnose(),
  }
}

export const bytesOf = (grant: Grant) => grant.bytes

export const fill: SliceFunction<{ seed: number }, string> = (bytes, { args }) =>
  String(bytes.length + args.seed)
export const code = (error: unknown): string | undefined =>
  error instanceof GrantError ? error.code : undefined

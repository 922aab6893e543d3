import { channel } from 'node:diagnostics_channel'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClientStats } from '../grants/stats.js'
import { openStreams, type StreamCounts } from '../vchan/open-streams.js'

/** What a process says of itself: plain data, one line of JSON on its socket. Counts are from the beginning. */
export interface MonitorSnapshot {
  /** Of this form. Another one is not understood. */
  version: 1
  pid: number
  /** What the process runs: its script, or `process.title`. */
  name: string
  /** Milliseconds of a clock that never goes back: what rates are counted by. */
  time: number
  servers: ServerSnapshot[]
  streams: StreamSnapshot[]
  /** Streams that are open: with very many, `streams` has the oldest only. */
  streamsOpen: number
  /** Streams that there have been. */
  streamsTotal: number
  /** Calls of the public API that rejected while the monitor was open, and what failed without a caller. */
  errors: number
}

/** As `stats()` has it. What is `Infinity` there is null in JSON. `error`: why there are no figures. */
export type ServerSnapshot = ClientStats | { error: string }

/** Counts of an open stream, as the stream itself has them. */
export type StreamSnapshot = StreamCounts

/** Whose figures are shown: a GrantServer, a GrantClient. */
export interface Monitored {
  /** As those of a server or a client. */
  stats(): Promise<ClientStats>
}

/** Streams in one snapshot at most. */
export const MAX_STREAMS = 200

/** How long a device worker may be busy before a snapshot goes without its figures, in milliseconds. */
const PATIENCE = 2000

/** Counts errors from when it is made, and takes snapshots. */
export class Observer implements Disposable {
  readonly #servers: readonly Monitored[]
  #errors = 0
  readonly #count = (): void => {
    this.#errors++
  }

  constructor(servers: readonly Monitored[]) {
    this.#servers = servers
    channel('xen-grants:error').subscribe(this.#count)
  }

  async snapshot(): Promise<MonitorSnapshot> {
    const servers = await Promise.all(this.#servers.map(figuresOf))
    const { streams, count, total } = openStreams()
    return {
      version: 1,
      pid: process.pid,
      name: process.argv[1] ?? process.title,
      time: performance.now(),
      servers,
      streams: [...firstOf(streams)].map(countsOf),
      streamsOpen: count,
      streamsTotal: total,
      errors: this.#errors,
    }
  }

  [Symbol.dispose](): void {
    channel('xen-grants:error').unsubscribe(this.#count)
  }
}

async function figuresOf(server: Monitored): Promise<ServerSnapshot> {
  const end = new AbortController()
  // A timer that keeps no process alive.
  const late = delay(PATIENCE, { error: 'it does not answer' }, { ref: false, signal: end.signal })
  late.catch(() => {})
  try {
    return await Promise.race([server.stats(), late])
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { error: `${message}${code ? ` [${code}]` : ''}` }
  } finally {
    end.abort()
  }
}

function* firstOf(streams: Iterable<StreamCounts>): Iterable<StreamCounts> {
  let left = MAX_STREAMS
  for (const stream of streams) {
    if (left-- === 0) return
    yield stream
  }
}

function countsOf(stream: StreamCounts): StreamSnapshot {
  const { domid, path, bytesRead, bytesWritten, eventsSent, eventsReceived, stalls } = stream
  return { domid, path, bytesRead, bytesWritten, eventsSent, eventsReceived, stalls }
}

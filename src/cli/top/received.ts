import { Buffer } from 'node:buffer'
import type { MonitorSnapshot, StreamSnapshot } from '../../monitor.js'
import { escaped } from '../escaped.js'

/** What is shown of a server. Counts that another process did not tell are 0. */
export interface SeenServer {
  error: string | undefined
  grants: number
  pages: number
  /** Undefined: without a limit. */
  maxPages: number | undefined
  domains: Map<number, number>
  queued: number
  waiting: number
  deferred: { pages: number; oldest: number; draining: number }
  operations: number
  shares: { count: number; p50: number; p99: number }
  fills: { count: number; bytes: number }
}

/** A snapshot of another process, of which nothing has to be true: numbers are numbers, text is harmless on a terminal, lists are short. */
export interface Seen extends Omit<MonitorSnapshot, 'servers' | 'version'> {
  servers: SeenServer[]
}

const MAX = { servers: 64, streams: 200, domains: 65_536, text: 200 } as const

type Fields = Record<string, unknown>

/** @throws Error when it is no snapshot of a version that is understood */
export function received(line: string): Seen {
  const told = fields(parsed(line))
  if (told.version !== 1)
    throw new Error('the process has another version of xen-grants, whose figures this one does not know')
  return {
    pid: number(told.pid),
    name: text(told.name),
    time: number(told.time),
    servers: list(told.servers, MAX.servers).map(seenServer),
    streams: list(told.streams, MAX.streams).map(seenStream),
    streamsOpen: number(told.streamsOpen),
    streamsTotal: number(told.streamsTotal),
    errors: number(told.errors),
  }
}

/** JSON's own error would repeat what it was told. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new Error('what answers at the socket is no Monitor: its answer is not JSON')
  }
}

function seenServer(told: unknown): SeenServer {
  const {
    error,
    grants,
    pages,
    maxPages,
    domains,
    queued,
    waiting,
    deferred,
    operations,
    shareLatency,
    fills,
  } = fields(told)
  const [late, shares, filled] = [fields(deferred), fields(shareLatency), fields(fills)]
  return {
    error: error === undefined ? undefined : text(error),
    grants: number(grants),
    pages: number(pages),
    maxPages: maxPages === null ? undefined : number(maxPages),
    domains: pagesByDomain(domains),
    queued: number(queued),
    waiting: number(waiting),
    deferred: { pages: number(late.pages), oldest: number(late.oldest), draining: number(late.draining) },
    operations: number(operations),
    shares: { count: number(shares.count), p50: number(shares.p50), p99: number(shares.p99) },
    fills: { count: number(filled.count), bytes: number(filled.bytes) },
  }
}

function seenStream(told: unknown): StreamSnapshot {
  const { domid, path, bytesRead, bytesWritten, eventsSent, eventsReceived, stalls } = fields(told)
  return {
    domid: number(domid),
    path: text(path),
    bytesRead: number(bytesRead),
    bytesWritten: number(bytesWritten),
    eventsSent: number(eventsSent),
    eventsReceived: number(eventsReceived),
    stalls: number(stalls),
  }
}

function pagesByDomain(told: unknown): Map<number, number> {
  const found = new Map<number, number>()
  for (const [domid, pages] of Object.entries(fields(told)).slice(0, MAX.domains)) {
    if (/^\d{1,5}$/.test(domid)) found.set(Number(domid), number(pages))
  }
  return found
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function list(value: unknown, most: number): unknown[] {
  return Array.isArray(value) ? value.slice(0, most) : []
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0
}

function text(value: unknown): string {
  return escaped(Buffer.from(String(value).slice(0, MAX.text)))
}

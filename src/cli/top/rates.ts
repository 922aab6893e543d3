import type { Seen } from './received.js'

/** What goes on in a second, between two snapshots of the same process. */
export interface Rates {
  operations: number
  shares: number
  fills: number
  bytesFilled: number
  /** By the place of the stream in the snapshot; undefined: it is new. */
  streams: ({ read: number; written: number } | undefined)[]
}

/** @returns undefined when there is no earlier snapshot, or no time between */
export function ratesBetween(earlier: Seen | undefined, now: Seen): Rates | undefined {
  const seconds = earlier ? (now.time - earlier.time) / 1000 : 0
  if (!earlier || seconds <= 0) return undefined
  // A server that has been restarted counts from the beginning.
  const rate = (from: number, to: number): number => Math.max(0, to - from) / seconds
  const sum = (seen: Seen, count: (server: Seen['servers'][number]) => number): number =>
    seen.servers.reduce((all, server) => all + count(server), 0)
  const served = (count: (server: Seen['servers'][number]) => number): number =>
    rate(sum(earlier, count), sum(now, count))
  const before = new Map(keyed(earlier).map(([key, stream]) => [key, stream]))
  return {
    operations: served((server) => server.operations),
    shares: served((server) => server.shares.count),
    fills: served((server) => server.fills.count),
    bytesFilled: served((server) => server.fills.bytes),
    streams: keyed(now).map(([key, stream]) => {
      const old = before.get(key)
      if (!old) return undefined
      return {
        read: rate(old.bytesRead, stream.bytesRead),
        written: rate(old.bytesWritten, stream.bytesWritten),
      }
    }),
  }
}

/** Streams have no name of their own: those of the same domain and path are told apart by their order, which is that of their age. */
function keyed({ streams }: Seen): [string, Seen['streams'][number]][] {
  const seen = new Map<string, number>()
  return streams.map((stream) => {
    const name = `${stream.domid} ${stream.path}`
    const place = seen.get(name) ?? 0
    seen.set(name, place + 1)
    return [`${place} ${name}`, stream]
  })
}

/** How much has gone through a stream. Bytes and events count from its beginning. */
export interface StreamCounts {
  readonly domid: number
  readonly path: string
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly eventsSent: number
  readonly eventsReceived: number
  readonly stalls: number
}

const open = new Set<StreamCounts>()
let total = 0

export function streamOpened(stream: StreamCounts): void {
  open.add(stream)
  total++
}

export function streamClosed(stream: StreamCounts): void {
  open.delete(stream)
}

/** The streams of this thread that have connected and not given back everything, the oldest first; how many there ever were. */
export function openStreams(): { total: number; streams: Iterable<StreamCounts>; count: number } {
  return { total, streams: open.values(), count: open.size }
}

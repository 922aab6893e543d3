import { collector } from './collector.js'

/*
 * Memory that this thread hands out and does not refer to any more: the chunks of its streams, most of which are soon garbage.
 *
 * V8 counts such memory, which is outside of its heap, and collects the young objects when 32 MiB have come together. But what it
 * frees then, in the background, it subtracts late: twice as much is counted by the next time, which is its limit for collecting
 * everything. So a stream at full rate had the whole heap searched 10 to 15 times for each GiB on Node 20, 40 times on Node 24 and 26,
 * tens of milliseconds of the reader's thread each, and with hardly anything to find there: its rate was a third of what it is
 * without. Collected sooner, young objects alone, it does not get there. That takes half a millisecond, and the same memory is used
 * again while it is still in the processor's cache.
 */

/**
 * A quarter of what V8 waits for. With half of it, Node 26 did get there at times, and with three eighths Node 20 on one
 * processor, where its background has to wait: a heap of 8 MiB may grow by 11 before all of it is searched.
 */
const COLLECT_AFTER = 8 << 20

let bytes = 0

/** A chunk of so many bytes is going to be handed out. */
export function received(length: number): void {
  bytes += length
  if (bytes < COLLECT_AFTER) return
  bytes = 0
  collector()({ type: 'minor' })
}

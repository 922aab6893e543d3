import { createHash } from 'node:crypto'

/** @type {import('xen-grants').SliceFunction<{ seed: number }, string>} */
export default function noise(bytes, { args, index, signal }) {
  const words = new Uint32Array(bytes.buffer)
  let state = (args.seed + index) | 1
  for (let i = 0; i < words.length; i++) {
    // xorshift32: every word depends on the one before, which no copy could deliver.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
    if ((i & 0xffff) === 0 && signal.aborted) throw signal.reason
  }
  return createHash('sha256').update(bytes).digest('hex')
}

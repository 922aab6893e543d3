import { bytesFor, exchange } from '../guest/vchan-checks.mjs'
import { acrossDomains } from '../guest/vchan-domains.mjs'
import { C, Node, NodeProcess } from '../guest/vchan-ends.mjs'
import { killed } from '../guest/vchan-kills.mjs'

const FIVE_MINUTES = 300_000
/** Every pair that libxenvchan makes of sizes within the page, and then each size with another one. */
const SIZES = [4096, 8192, 16384, 32768, 65536, 1 << 17, 1 << 18, 1 << 19, 1 << 20]
const RINGS = [
  { receive: 1024, send: 2048 },
  { receive: 2048, send: 1024 },
  { receive: 2048, send: 4096 },
  { receive: 4096, send: 2048 },
  { receive: 2048, send: 1 << 20 },
  ...SIZES.map((receive, i) => ({ receive, send: SIZES.at(-1 - i) })),
  ...SIZES.map((size) => ({ receive: size, send: size })),
]

const matrix = [
  ['libxenvchan serves, Node connects', C, Node],
  ['Node serves, libxenvchan connects', Node, C],
].flatMap(([roles, ServerEnd, ClientEnd]) =>
  RINGS.map((rings) => ({
    name: `${roles}: both ways at once, rings of ${rings.receive} and ${rings.send}`,
    timeoutMs: FIVE_MINUTES,
    run: (t) => exchange(t, ServerEnd, ClientEnd, { rings, bytes: 2 * bytesFor(rings) }),
  })),
)

/** So that the first bytes of a ring lie before the wrap, across it, and the wrap within a long stream. */
const wraps = [0xffffffff, 0xfffff000, 0xfffe0000].map((start) => ({
  name: `a Node client of indexes that start at ${start}`,
  timeoutMs: FIVE_MINUTES,
  run: (t) =>
    exchange(t, C, Node, { rings: { receive: 65536, send: 4096 }, bytes: 1 << 20, server: { start } }),
}))

export default {
  name: 'vchan',
  tests: [
    ...matrix,
    ...wraps,
    {
      name: 'Node at both ends, rings of 1 MiB, 32 MiB each way',
      timeoutMs: FIVE_MINUTES,
      run: (t) =>
        exchange(t, Node, NodeProcess, { rings: { receive: 1 << 20, send: 1 << 20 }, bytes: 32 << 20 }),
    },
    ...killed(C, 12),
    ...killed(NodeProcess, 5),
    ...acrossDomains(),
  ],
}

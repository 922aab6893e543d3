import { terminating } from '../guest/memory-trials.mjs'

// More of them, and the death of the device worker, are in test/xen/slow: every thread takes most of a second to start.
export default { name: 'memory', tests: [terminating(6)] }

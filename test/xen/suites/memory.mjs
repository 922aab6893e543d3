import { dying, terminating } from '../guest/memory-trials.mjs'

// More of them are in test/xen/slow: every thread takes most of a second to start.
export default { name: 'memory', tests: [terminating(6), dying(1)] }

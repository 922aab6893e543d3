import { dying, terminating } from '../guest/memory-trials.mjs'

export default { name: 'memory', tests: [dying(15), terminating(100)] }

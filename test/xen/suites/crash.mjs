import { killing } from '../guest/crashes.mjs'

// A hundred of them are in test/xen/slow: a Node process takes two seconds of both processors to get to its first grant.
export default { name: 'crash', tests: [killing(6)] }

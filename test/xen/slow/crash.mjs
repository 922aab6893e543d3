import { killing } from '../guest/crashes.mjs'

export default { name: 'crash', tests: [killing(100)] }

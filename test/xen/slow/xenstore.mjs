import { storeTests } from '../guest/real-store.mjs'

export default { name: 'xenstore', tests: storeTests('device') }

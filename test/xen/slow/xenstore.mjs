import { guestStoreTests, storeTests } from '../guest/real-store.mjs'

export default { name: 'xenstore', tests: [...guestStoreTests('storer'), ...storeTests('device')] }

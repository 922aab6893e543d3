import { afterAll, beforeAll, describe, it } from 'vitest'
import { full } from '../setup/soak.js'
import type { StoreContract, StoreWorld } from './contract/world.js'

interface Place {
  world(): Promise<StoreWorld>
  close(): Promise<void>
}

const load = (name: string) => import(new URL(name, import.meta.url).href)
const { storeContract, runIn }: StoreContract = await load('./contract/all.mjs')
const { nativeStore }: { nativeStore(options: object): Promise<Place> } = await load(
  './contract/native-world.mjs',
)
const { simulatedStore }: { simulatedStore(options: object): Promise<Place> } = await load(
  './contract/simulated-world.mjs',
)
const { whyNot }: { whyNot(rules: string): string | undefined } = await load('../xenstored/daemon.mjs')

const native = { start: nativeStore, whyNot }
const simulated = { start: simulatedStore, whyNot: () => undefined }
/** No test makes or destroys it. */
const GUEST = 900
const both = ['domain 0', 'domains', 'parts of directories']
/** What xenstored tells a guest, and oxenstored in another way; and paths longer than oxenstored's configuration allows. */
const notOx = [
  'lists at every length around that of one message are exact',
  'a guest reads what it may and owns what it makes; EACCES and ENOENT are kept apart',
  'the limits of a guest are told with what to do',
]
const places = [
  { name: 'the xenstored of Xen 4.17, through its socket', on: native, rules: 'C', offers: both },
  // A device of the tests' own to the real xenstored. What it shows, the simulated device and the daemon's socket show as well, and
  // on the emulated Xen both are real (test/xen/suites/xenstore.mjs).
  ...(full
    ? [
        {
          name: 'the xenstored of Xen 4.17, through a device',
          on: native,
          rules: 'C',
          device: true,
          offers: both,
        },
      ]
    : []),
  { name: 'oxenstored, through its socket', on: native, rules: 'ox', offers: ['domain 0'] },
  { name: 'the simulated xenstored, through its socket', on: simulated, rules: 'C', offers: both },
  {
    name: 'the simulated xenstored, through its device',
    on: simulated,
    rules: 'C',
    device: true,
    offers: both,
  },
  {
    name: 'the simulated xenstored, of a guest through its socket',
    on: simulated,
    rules: 'C',
    domid: GUEST,
    offers: [],
  },
  {
    name: 'the simulated oxenstored, through its socket',
    on: simulated,
    rules: 'ox',
    offers: ['domain 0', 'domains'],
    except: notOx,
  },
]

for (const { name, on, offers, except = [], ...options } of places) {
  const reason = on.whyNot(options.rules)
  describe.skipIf(reason)(`a store on ${name}${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
    let place: Place
    beforeAll(async () => {
      place = await on.start(options)
    })
    afterAll(() => place?.close())
    for (const suite of storeContract(offers)) {
      describe(suite.name, () => {
        for (const test of suite.tests)
          it.skipIf(test.skip || except.includes(test.name))(
            test.name,
            { timeout: test.timeoutMs ?? 30_000 },
            async () => runIn(await place.world(), test),
          )
      })
    }
  })
}

import { afterAll, beforeAll, describe, it } from 'vitest'
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
const { whyNot }: { whyNot(rules: string): string | undefined } = await load('../xenstored/daemon.mjs')

const both = ['domain 0', 'domains', 'parts of directories']
const places = [
  { name: 'the xenstored of Xen 4.17, through its socket', rules: 'C', offers: both },
  { name: 'the xenstored of Xen 4.17, through a device', rules: 'C', device: true, offers: both },
  { name: 'oxenstored, through its socket', rules: 'ox', offers: ['domain 0'] },
]

for (const { name, offers, ...options } of places) {
  const reason = whyNot(options.rules)
  describe.skipIf(reason)(`a store on ${name}${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
    let place: Place
    beforeAll(async () => {
      place = await nativeStore(options)
    })
    afterAll(() => place?.close())
    for (const suite of storeContract(offers)) {
      describe(suite.name, () => {
        for (const test of suite.tests)
          it.skipIf(test.skip)(test.name, { timeout: test.timeoutMs ?? 30_000 }, async () =>
            runIn(await place.world(), test),
          )
      })
    }
  })
}

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
const {
  simulatedStore,
}: { simulatedStore(xenstored: 'c' | 'ocaml', way?: 'socket' | 'device'): Promise<Place> } = await load(
  './contract/simulated-world.mjs',
)
const { whyNot }: { whyNot(rules: string): string | undefined } = await load('../xenstored/daemon.mjs')

const all = ['domain 0', 'domains', 'parts of directories']
const places = [
  {
    name: 'the xenstored of Xen 4.17, through its socket',
    offers: all,
    start: () => nativeStore({ rules: 'C' }),
    reason: whyNot('C'),
  },
  {
    name: 'the xenstored of Xen 4.17, through a device',
    offers: all,
    start: () => nativeStore({ rules: 'C', device: true }),
    reason: whyNot('C'),
  },
  {
    name: 'oxenstored, through its socket',
    offers: ['domain 0'],
    start: () => nativeStore({ rules: 'ox' }),
    reason: whyNot('ox'),
  },
  { name: 'the simulated xenstored', offers: all, start: () => simulatedStore('c'), reason: undefined },
  {
    name: 'the simulated /dev/xen/xenbus',
    offers: all,
    start: () => simulatedStore('c', 'device'),
    reason: undefined,
  },
  {
    name: 'the simulated oxenstored',
    offers: ['domain 0'],
    start: () => simulatedStore('ocaml'),
    reason: undefined,
  },
]

for (const { name, offers, start, reason } of places) {
  describe.skipIf(reason)(`a store on ${name}${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
    let place: Place
    beforeAll(async () => {
      place = await start()
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

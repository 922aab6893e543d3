import { afterAll, beforeAll, describe, it } from 'vitest'
import type { StoreContract, StoreWorld } from './contract/world.js'

interface Place {
  offers: string[]
  world(): Promise<StoreWorld>
  close(): Promise<void>
}

const load = (name: string) => import(new URL(name, import.meta.url).href)
const { storeContract, runIn }: StoreContract = await load('./contract/all.mjs')
const { nativeStore }: { nativeStore(): Promise<Place> } = await load('./contract/native-world.mjs')
const {
  simulatedStore,
}: { simulatedStore(xenstored: 'c' | 'ocaml', way?: 'socket' | 'device'): Promise<Place> } = await load(
  './contract/simulated-world.mjs',
)
const { whyNot }: { whyNot(): string | undefined } = await load('../xenstored/daemon.mjs')

/** What the contract says of xenstored only: sizes, codes, and lists that come in parts. */
const NOT_OXENSTORED = [
  'a value of the largest size goes through, and one byte more is refused here, with the limit',
  'lists at every length around that of one message are exact',
  'a list is aborted between its parts',
  'of what is absent, or for an owner that is no domain, are ENOENT',
  'a guest reads what it may and owns what it makes; EACCES and ENOENT are kept apart',
  'the limits of a guest are told with what to do',
]

function contract(
  title: string,
  start: () => Promise<Place>,
  skip?: string,
  except: readonly string[] = [],
): void {
  describe.skipIf(skip)(skip === undefined ? title : `${title} (skipped: ${skip})`, () => {
    let place: Place
    beforeAll(async () => {
      place = await start()
    })
    afterAll(() => place?.close())
    for (const suite of storeContract(['domain 0', 'domains'])) {
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

contract('a store on the xenstored of Xen 4.17, run natively', nativeStore, whyNot())
contract('a store on the simulated xenstored', () => simulatedStore('c'))
contract('a store on the simulated /dev/xen/xenbus', () => simulatedStore('c', 'device'))
contract('a store on the simulated oxenstored', () => simulatedStore('ocaml'), undefined, NOT_OXENSTORED)

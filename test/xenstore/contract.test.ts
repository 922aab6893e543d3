import { afterAll, beforeAll, describe, it } from 'vitest'
import type { StoreContract, StoreWorld } from './contract/world.js'

interface Place {
  offers: string[]
  world(): Promise<StoreWorld>
  close(): Promise<void>
}

const load = (name: string) => import(new URL(name, import.meta.url).href)
const { storeContract, runIn }: StoreContract = await load('./contract/all.mjs')
const { nativeStore }: { nativeStore(options: object): Promise<Place> } = await load(
  './contract/native-world.mjs',
)
const { simulatedStore }: { simulatedStore(xenstored: 'c' | 'ocaml'): Promise<Place> } = await load(
  './contract/simulated-world.mjs',
)
const { whyNot }: { whyNot(): string | undefined } = await load('../xenstored/daemon.mjs')

function contract(title: string, start: () => Promise<Place>, skip?: string): void {
  describe.skipIf(skip)(skip === undefined ? title : `${title} (skipped: ${skip})`, () => {
    let place: Place
    beforeAll(async () => {
      place = await start()
    })
    afterAll(() => place?.close())
    for (const suite of storeContract(['domain 0', 'domains'])) {
      describe(suite.name, () => {
        for (const test of suite.tests)
          it.skipIf(test.skip)(test.name, { timeout: test.timeoutMs ?? 30_000 }, async () =>
            runIn(await place.world(), test),
          )
      })
    }
  })
}

const real = 'a store on the xenstored of Xen 4.17, run natively'
contract(`${real}, through its socket`, () => nativeStore({ device: false }), whyNot())
contract(`${real}, through a device`, () => nativeStore({ device: true }), whyNot())
contract('a store on the simulated xenstored', () => simulatedStore('c'))

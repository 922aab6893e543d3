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
const { whyNot }: { whyNot(): string | undefined } = await load('../xenstored/daemon.mjs')

const reason = whyNot()
const title = 'a store on the xenstored of Xen 4.17, run natively'

describe.skipIf(reason)(reason === undefined ? title : `${title} (skipped: ${reason})`, () => {
  let place: Place
  beforeAll(async () => {
    place = await nativeStore()
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

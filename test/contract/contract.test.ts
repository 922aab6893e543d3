import { afterAll, beforeAll, describe, it } from 'vitest'
import type { ContractSuite, ContractTest, Pair, World } from './world.js'

// The same tests run against the real driver: test/xen/suites/contract.mjs, bugs.mjs and two-domains.mjs.
interface Contract {
  contract: ContractSuite[]
  exhaustion: ContractSuite
  twoDomains: ContractSuite<Pair>
  runIn<W>(world: W, test: ContractTest<W>): Promise<void>
}
interface Simulated {
  simulatedWorld(options?: object): Promise<World>
}

const load = (name: string) => import(new URL(`./${name}`, import.meta.url).href)
const { contract, exhaustion, twoDomains, runIn }: Contract = await load('all.mjs')
const { simulatedWorld }: Simulated = await load('simulated-world.mjs')
const { simulatedPair }: { simulatedPair(): Promise<Pair> } = await load('simulated-pair.mjs')

const kept: { xen?: { close(): Promise<void> } } = {}
afterAll(() => kept.xen?.close())

for (const suite of contract) {
  describe(suite.name, () => {
    for (const test of suite.tests)
      it.skipIf(test.skip)(test.name, async () => runIn(await simulatedWorld({ kept }), test))
  })
}

describe(`${exhaustion.name}, with the driver's counting bug`, () => {
  for (const test of exhaustion.tests)
    it(test.name, async () => runIn(await simulatedWorld({ driverBugs: true, wrongCount: true }), test))
})

describe(twoDomains.name, () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await simulatedPair()
  })
  afterAll(() => pair.close())
  for (const test of twoDomains.tests) it(test.name, () => runIn(pair, test))
})

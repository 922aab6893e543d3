import { describe, it } from 'vitest'
import type { ContractSuite, ContractTest, World } from './contract/world.js'

// The same tests run against the real driver: test/xen/suites/contract.mjs and bugs.mjs.
interface Contract {
  contract: ContractSuite[]
  exhaustion: ContractSuite
  runIn(world: World, test: ContractTest): Promise<void>
}
interface Simulated {
  simulatedWorld(options?: object): Promise<World>
}

const load = (name: string) => import(new URL(`./contract/${name}`, import.meta.url).href)
const { contract, exhaustion, runIn }: Contract = await load('all.mjs')
const { simulatedWorld }: Simulated = await load('simulated-world.mjs')

for (const suite of contract) {
  describe(suite.name, () => {
    for (const test of suite.tests)
      it.skipIf(test.skip)(test.name, async () => runIn(await simulatedWorld(), test))
  })
}

describe(`${exhaustion.name}, with the driver's counting bug`, () => {
  for (const test of exhaustion.tests)
    it(test.name, async () => runIn(await simulatedWorld({ driverBugs: true, wrongCount: true }), test))
})

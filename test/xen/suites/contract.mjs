import { contract, runIn } from '../../contract/all.mjs'
import { RealWorld } from '../guest/real-world.mjs'

// What test/contract/contract.test.ts runs against the simulation, against the driver.
export default {
  name: 'contract',
  tests: contract.flatMap((suite) =>
    suite.tests.map((test) => ({
      ...test,
      name: `${suite.name}: ${test.name}`,
      run: (t) => runIn(new RealWorld(t), test),
    })),
  ),
}

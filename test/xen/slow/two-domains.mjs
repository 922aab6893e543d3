import { runIn, twoDomains } from '../../contract/all.mjs'
import { Guest } from '../guest/domains.mjs'
import { RealPair } from '../guest/real-pair.mjs'

const FIVE_MINUTES = 300_000

let pair

/** What test/contract/contract.test.ts runs with two domains of the simulated Xen: here across dom0 and a guest. */
export default {
  name: 'two domains',
  tests: twoDomains.tests.map((test, i) => ({
    name: `${twoDomains.name}: ${test.name}`,
    timeoutMs: FIVE_MINUTES,
    async run(t) {
      pair ??= new RealPair(await Guest.boot('one', 'node'))
      if (i === twoDomains.tests.length - 1) t.defer(() => pair.close())
      await runIn(pair, test)
    },
  })),
}

import conflicts from './conflicts.mjs'
import directories from './directories.mjs'
import disorder from './disorder.mjs'
import domains from './domains.mjs'
import nodes from './nodes.mjs'
import permissions from './permissions.mjs'
import transactions from './transactions.mjs'
import watches from './watches.mjs'

export { runIn } from '../../contract/run-in.mjs'

/** @typedef {import('./world.js').StoreWorld} StoreWorld */

const suites = [nodes, directories, permissions, domains, transactions, conflicts, watches, disorder]

/**
 * What a store does, on whatever xenstored.
 *
 * @param {readonly string[]} offers what the worlds have: 'domain 0' (its rights), 'domains' (that can be made and destroyed),
 *   'parts of directories' (which oxenstored knows nothing of)
 * @returns the suites, each test with a reason to skip it if it needs more
 */
export function storeContract(offers) {
  return suites.map(({ name, needs: all, tests }) => ({
    name,
    tests: tests.map(({ needs = all, ...test }) => ({
      ...test,
      skip: needs === undefined || offers.includes(needs) ? undefined : `needs ${needs}`,
    })),
  }))
}

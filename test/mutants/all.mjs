import cli from './lists/cli.mjs'
import fill from './lists/fill.mjs'
import grants from './lists/grants.mjs'
import mapping from './lists/mapping.mjs'
import net from './lists/net.mjs'
import simulated from './lists/simulated.mjs'
import threads from './lists/threads.mjs'
import transfer from './lists/transfer.mjs'
import vchan from './lists/vchan.mjs'
import worker from './lists/worker.mjs'
import xenstore from './lists/xenstore.mjs'

/**
 * @typedef Mutant
 * @property {string} file
 * @property {string} find occurs once in the file
 * @property {string} replace
 * @property {string[]} tests the files that should notice it
 * @property {string} breaks what goes wrong with it
 * @property {string} [argued] why no test can notice it, or need not
 */

/** @type {Mutant[]} */
export const mutants = [
  ...fill,
  ...grants,
  ...worker,
  ...mapping,
  ...threads,
  ...simulated,
  ...xenstore,
  ...vchan,
  ...net,
  ...cli,
  ...transfer,
]

import { absolutePath, isNodePath, isSpecial } from './node-paths.js'
import { countStrings, stringsOf } from './payload.js'
import { Refusal } from './refusal.js'
import { OK, type StoreHandler, type StoreRequest } from './store-request.js'

/** XENSTORE_REL_PATH_MAX: the longest name of a special event. */
const MAX_SPECIAL = 2048

/** Sets a watch. Its first event comes after the reply. */
export const watch: StoreHandler = (request) => {
  const { watches, connection, rules } = request
  const [given, token] = pathAndToken(request)
  const path = absolutePath(given, connection.base)
  const valid = isSpecial(path) ? path.length <= MAX_SPECIAL : isNodePath(path, rules.quotas.pathLength)
  if (!valid) throw new Refusal('EINVAL')
  if (watches.find(connection, path, token) !== undefined) throw new Refusal('EEXIST')
  const set = connection.domain?.watches ?? 0
  if (!connection.privileged && set > rules.quotas.watches) throw new Refusal(rules.tooManyWatches)
  watches.tellFirst(watches.add(connection, path, token, path === given ? undefined : connection.base))
  return OK
}

export const unwatch: StoreHandler = (request) => {
  const { watches, connection, rules } = request
  const [path, token] = pathAndToken(request)
  if (path === '' && rules.flavour === 'ocaml') throw new Refusal('EINVAL')
  const found = watches.find(connection, absolutePath(path, connection.base), token)
  if (found === undefined) throw new Refusal('ENOENT')
  watches.remove(found)
  return OK
}

/** Ends the transactions of the connection as well. */
export const resetWatches: StoreHandler = ({ watches, connection }) => {
  watches.removeAll(connection)
  connection.endTransactions()
  return OK
}

function pathAndToken({ payload, rules }: StoreRequest): [path: string, token: string] {
  const wrong = countStrings(payload) !== 2 || (rules.flavour === 'ocaml' && payload.at(-1) !== 0)
  if (wrong) throw new Refusal('EINVAL')
  return stringsOf(payload) as [string, string]
}

import { joinStrings, onlyString } from './payload.js'
import { Refusal } from './refusal.js'
import { OK, type StoreHandler } from './store-request.js'

export const transactionStart: StoreHandler = ({ transaction, connection, rules, newTransaction }) => {
  if (transaction !== undefined) throw new Refusal('EBUSY')
  const open = connection.domain?.transactions ?? 0
  if (!connection.privileged && open > rules.quotas.transactions) throw new Refusal(rules.tooMany)
  const id = connection.addTransaction(newTransaction(connection))
  return joinStrings([`${id}`])
}

/** Whatever comes of it, the transaction is over, unless the request itself is wrong. */
export const transactionEnd: StoreHandler = ({ transaction, connection, payload, rules }) => {
  // oxenstored looks at no more than that.
  const how = rules.flavour === 'c' ? onlyString(payload) : payload.toString('latin1').split('\0')[0]
  if (how !== 'T' && how !== 'F') throw new Refusal('EINVAL')
  if (transaction === undefined) throw new Refusal('ENOENT')
  connection.endTransaction(transaction.id)
  if (how === 'T') transaction.view.commit()
  return OK
}

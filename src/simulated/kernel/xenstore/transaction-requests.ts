import { joinStrings, onlyString } from './payload.js'
import { Refusal } from './refusal.js'
import { OK, type StoreHandler } from './store-request.js'
import { StoreTransaction } from './store-transaction.js'

export const transactionStart: StoreHandler = ({ transaction, connection, store, rules }) => {
  if (transaction !== undefined) throw new Refusal('EBUSY')
  const open = connection.domain?.transactions ?? 0
  if (!connection.privileged && open > rules.quotas.transactions) throw new Refusal(rules.tooMany)
  const id = connection.addTransaction(new StoreTransaction(store, rules, connection.privileged))
  return joinStrings([`${id}`])
}

/** Whatever comes of it, the transaction is over, unless the request itself is wrong. */
export const transactionEnd: StoreHandler = ({ transaction, connection, payload }) => {
  const how = onlyString(payload)
  if (how !== 'T' && how !== 'F') throw new Refusal('EINVAL')
  if (transaction === undefined) throw new Refusal('ENOENT')
  connection.endTransaction(transaction.id)
  if (how === 'T') transaction.view.commit()
  return OK
}

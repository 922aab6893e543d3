import { domainPath } from './node-paths.js'
import { joinStrings, looseInteger, onlyString, stringsOf } from './payload.js'
import { Refusal } from './refusal.js'
import type { StoreDomain } from './store-domains.js'
import { OK, type StoreHandler, type StoreRequest } from './store-request.js'

/** DOMID_SELF: it is always introduced. */
const DOMID_SELF = 0x7ff0

/** The page of its ring is not needed, its port is not used: they only have to be there. */
export const introduce: StoreHandler = ({ life, payload }) => {
  const [domid, page, port] = stringsOf(payload)
  if (domid === undefined || page === undefined || port === undefined) throw new Refusal('EINVAL')
  if (looseInteger(port) === 0) throw new Refusal('EINVAL')
  life.introduce(looseInteger(domid))
  return OK
}

export const release: StoreHandler = (request) => {
  request.life.release(guestOf(request))
  return OK
}

/** Its next shutdown is told again. */
export const resume: StoreHandler = (request) => {
  guestOf(request).shutdown = false
  return OK
}

export const setTarget: StoreHandler = (request) => {
  const [domid, target] = stringsOf(request.payload)
  if (domid === undefined || target === undefined) throw new Refusal('EINVAL')
  const domain = connected(request, looseInteger(domid))
  request.life.setTarget(domain, connected(request, looseInteger(target)))
  return OK
}

/** Only text: the domain need not exist. */
export const getDomainPath: StoreHandler = ({ payload }) => {
  const domid = onlyString(payload)
  if (domid === undefined) throw new Refusal('EINVAL')
  return joinStrings([domainPath(looseInteger(domid))])
}

export const isDomainIntroduced: StoreHandler = ({ store, payload, rules }) => {
  const text = onlyString(payload)
  if (text === undefined || (rules.flavour === 'ocaml' && !/^\d+$/.test(text))) throw new Refusal('EINVAL')
  const domid = looseInteger(text)
  return joinStrings([domid === DOMID_SELF || store.domains.introduced(domid) !== undefined ? 'T' : 'F'])
}

function guestOf(request: StoreRequest): StoreDomain {
  const domid = looseInteger(onlyString(request.payload) ?? '0')
  if (domid === 0) throw new Refusal('EINVAL')
  return connected(request, domid)
}

function connected({ store, rules }: StoreRequest, domid: number): StoreDomain {
  const domain = store.domains.introduced(domid)
  if (domain === undefined) throw new Refusal(rules.flavour === 'c' ? 'ENOENT' : 'EINVAL')
  if (domain.dead) throw new Refusal('EINVAL')
  return domain
}

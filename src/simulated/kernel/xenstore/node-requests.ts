import { Buffer } from 'node:buffer'
import { MAX_PAYLOAD } from '../../../drivers/xenbus/wire.js'
import { absolutePath, isSpecial } from './node-paths.js'
import { formatPermission, type Permission, parsePermission, Rights, rightsOf } from './node-permissions.js'
import { countStrings, joinStrings, looseInteger, onlyString, stringsOf } from './payload.js'
import { Refusal } from './refusal.js'
import { OK, type StoreHandler, type StoreRequest } from './store-request.js'

/** Requests about nodes. */
export const directory: StoreHandler = (request) => {
  const { children } = request.nodes.get(pathOf(request), Rights.read)
  return joinStrings(request.rules.sorts ? [...children].sort() : children)
}

/** A piece of a long list: the generation of the node, then whole names; an empty one marks the end of the list. */
export const directoryPart: StoreHandler = (request) => {
  const { nodes, payload } = request
  if (countStrings(payload) !== 2) throw new Refusal('EINVAL')
  const [path, offset] = stringsOf(payload) as [string, string]
  const { children, generation } = nodes.get(nodePath(path, request), Rights.read)
  const list = joinStrings(children)
  const from = Math.min(looseInteger(offset), list.length)
  const head = joinStrings([`${generation}`])
  // The end mark has to fit as well.
  const room = MAX_PAYLOAD - head.length - 1
  const atEnd = list.length - from < room + 1
  const to = atEnd ? list.length : list.lastIndexOf(0, from + room - 1) + 1
  const parts = [head, list.subarray(from, Math.max(to, from))]
  return Buffer.concat(atEnd ? [...parts, Buffer.alloc(1)] : parts)
}

export const read: StoreHandler = (request) => request.nodes.get(pathOf(request), Rights.read).value

export const write: StoreHandler = (request) => {
  const { nodes, payload } = request
  const end = payload.indexOf(0)
  if (end < 0) throw new Refusal('EINVAL')
  const path = nodePath(payload.toString('latin1', 0, end), request)
  // A copy: the payload is a piece of a larger buffer, which it would keep alive.
  nodes.write(path, Buffer.from(payload.subarray(end + 1)))
  return OK
}

export const makeDirectory: StoreHandler = (request) => {
  request.nodes.makeDirectory(pathOf(request))
  return OK
}

export const remove: StoreHandler = (request) => {
  request.nodes.remove(pathOf(request))
  return OK
}

export const getPermissions: StoreHandler = (request) => {
  const { permissions } = request.nodes.get(pathOf(request), Rights.read)
  return joinStrings(permissions.map(formatPermission))
}

export const setPermissions: StoreHandler = (request) => {
  const { nodes, connection, payload, store, rules } = request
  const [path, ...entries] = stringsOf(payload)
  if (path === undefined || entries.length === 0) throw new Refusal('EINVAL')
  if (rules.flavour === 'c' && !connection.privileged && entries.length > rules.quotas.permissions)
    throw new Refusal('ENOSPC')
  const parsed = entries.map(parsePermission)
  if (!parsed.every((entry) => entry !== undefined)) throw new Refusal('EINVAL')
  const permissions = store.domains.mark(parsed)
  if (permissions[0]!.ignored) throw new Refusal('ENOENT')
  if (isSpecial(path) && rules.flavour === 'c') setSpecial(request, path, permissions)
  else nodes.setPermissions(nodePath(path, request), permissions)
  return OK
}

/** Of an event: xenstored 4.17 answers with a stale errno, or aborts, where this refuses. */
function setSpecial(
  { life, connection }: StoreRequest,
  name: string,
  permissions: readonly Permission[],
): void {
  const before = life.specialPermissions(name)
  if (before === undefined) throw new Refusal('EINVAL')
  if (rightsOf(before, connection) !== Rights.all) throw new Refusal('EACCES')
  life.setSpecialPermissions(name, permissions)
}

function pathOf(request: StoreRequest): string {
  const path = onlyString(request.payload)
  if (path === undefined) throw new Refusal('EINVAL')
  return nodePath(path, request)
}

/** In oxenstored the special events are nodes below the root. */
function nodePath(path: string, { connection, rules }: StoreRequest): string {
  const absolute = absolutePath(path, connection.base)
  return isSpecial(absolute) && rules.flavour === 'ocaml' ? `/${absolute}` : absolute
}

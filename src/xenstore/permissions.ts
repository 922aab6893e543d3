import { invalidArgType, invalidArgValue } from '../arguments.js'
import { parseInteger } from './numbers.js'
import { checkDomid } from './paths.js'

/** What a domain may do with a node. */
export type StoreAccess = 'none' | 'read' | 'write' | 'both'

/**
 * One entry of a node's permissions. The first names the owner, and its access is that of every domain that no other entry
 * names. The owner and domain 0 may do everything.
 */
export interface StorePermission {
  domid: number
  access: StoreAccess
}

/** xenstored keeps what it is given, also numbers that no domain can have. */
const MAX_STORED_DOMID = 0xffff_ffff

const letters: Record<StoreAccess, string> = { none: 'n', read: 'r', write: 'w', both: 'b' }
const accesses = new Map(Object.entries(letters).map(([access, letter]) => [letter, access as StoreAccess]))

/** As xenstored reads them: `n0`, `r7`. @throws TypeError, RangeError */
export function encodePermissions(permissions: unknown): string[] {
  if (!Array.isArray(permissions)) throw invalidArgType('permissions', 'an array', permissions)
  if (permissions.length === 0)
    throw invalidArgValue('permissions', 'must have at least one entry, the owner', permissions)
  return permissions.map((permission: unknown, index) => {
    const name = `permissions[${index}]`
    if (typeof permission !== 'object' || permission === null)
      throw invalidArgType(name, 'an object { domid, access }', permission)
    const { domid, access } = permission as Partial<StorePermission>
    checkDomid(`${name}.domid`, domid)
    if (typeof access !== 'string' || !Object.hasOwn(letters, access))
      throw invalidArgValue(`${name}.access`, "must be 'none', 'read', 'write' or 'both'", access)
    return letters[access] + domid
  })
}

/** @returns undefined for what is no permission */
export function decodePermission(text: string): StorePermission | undefined {
  const access = accesses.get(text.charAt(0))
  const domid = parseInteger(text.slice(1), 0, MAX_STORED_DOMID)
  return access === undefined || domid === undefined ? undefined : { domid, access }
}

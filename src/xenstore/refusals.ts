import { describe, type Subject, XenStoreError } from './store-error.js'

/*
 * What xenstored's refusals mean, and what to do about each. The limits are those that xenstored of Xen 4.17 sets guests by
 * default (`tools/xenstore/xenstored_core.c`); domain 0 has none of them there.
 */

const WATCHES =
  'this domain has as many watches as xenstored allows it (128 by default, some of which the kernel needs): end loops ' +
  'over watch(), or watch one node above several'
const TRANSACTIONS =
  'this domain has as many open transactions as xenstored allows it (10 by default, of all its programs together): end some'
const NODES =
  'a quota of xenstored for guests: 1000 nodes of one domain, 2048 bytes for a node (24, 8 for each permission, its value, ' +
  'and the names of its children), 1024 nodes in one transaction. Remove nodes, or split the value or the directory over several'
const PERMISSIONS = 'a guest sets at most 5 permissions on a node'

const quota: Record<string, string> = {
  watch: WATCHES,
  transaction: TRANSACTIONS,
  setPermissions: PERMISSIONS,
}

const quotaOf = ({ operation }: Subject): string => quota[operation] ?? NODES

const CREATE = 'this domain may write neither the node nor, if it is absent, its nearest parent'
const rights: Record<string, string> = {
  write: CREATE,
  mkdir: CREATE,
  remove: 'this domain may not write the node, as removing it takes',
  setPermissions: 'this domain does not own the node',
}

const absent: Record<string, string> = {
  setPermissions: 'no such node, or its new owner is no domain',
  transaction: 'xenstored knows nothing of it: a live update ends what is open',
}

const meanings: Record<string, (subject: Subject) => string> = {
  EACCES: ({ operation }) => {
    if (operation === 'isIntroduced') return 'only domain 0 is told'
    const why = rights[operation] ?? 'its permissions do not let this domain read it'
    return `${why}. The node's owner or domain 0 can change that with setPermissions()`
  },
  ENOENT: ({ operation }) => absent[operation] ?? 'no such node',
  EINVAL: () => 'xenstored does not accept the request: the path, or what it names, is not valid there',
  E2BIG: (subject) => {
    if (subject.operation === 'list')
      return 'the names of the children take more than one message, and this xenstored sends no parts'
    return subject.operation === 'watch' ? WATCHES : 'the value is too long for this xenstored: split it'
  },
  ENOSPC: quotaOf,
  EQUOTA: quotaOf,
  ENOMEM: ({ operation }) =>
    operation === 'transaction'
      ? 'a quota was exceeded inside the transaction, so nothing of it has been done'
      : 'xenstored has no memory for it',
  EAGAIN: () => 'what it depends on was changed by another client',
  EPERM: () => 'only domain 0 gives a node away: the first entry has to name the domain that owns it already',
  EBUSY: () => 'a transaction is open already where only one may be',
  ENOSYS: () => 'this xenstored does not know the request',
  EIO: () => 'xenstored failed, see its log in domain 0',
}

/** The error of a request that xenstored has refused. @param code as it said it */
export function refusal(code: string, subject: Subject): XenStoreError {
  const meaning = meanings[code]?.(subject)
  const text = meaning === undefined ? `xenstored answers ${code}` : `${meaning} (${code})`
  return new XenStoreError(code, `${describe(subject)}: ${text}`, subject)
}

import { PAGE_SIZE } from '../abi.js'
import { checkBoolean, checkInteger, checkOptions, invalidArgType } from '../arguments.js'
import { StatusByte } from './peer-status.js'

/** What a granter tells its peer: plain data, to be sent as JSON by whatever means the two have. */
export interface GrantOffer {
  /** One reference per page. */
  refs: number[]
  writable: boolean
  /** Where the peer says that it has mapped and unmapped: see docs/teardown.md. */
  status: {
    /** Reference of the status page, granted writable to the same domain. */
    ref: number
    /** Of the grant's two bytes in it; even. */
    offset: number
    /** Event channel port of the granter, bound for that domain, which is notified too. */
    port?: number
  }
}

export function checkOffer(name: string, value: unknown): GrantOffer {
  const { refs, writable, status } = checkOptions<GrantOffer>(name, value, ['refs', 'writable', 'status'])
  if (!Array.isArray(refs)) throw invalidArgType(`${name}.refs`, 'an array', refs)
  checkBoolean(`${name}.writable`, writable)
  const { ref, offset, port } = checkOptions<GrantOffer['status']>(`${name}.status`, status, [
    'ref',
    'offset',
    'port',
  ])
  checkInteger(`${name}.status.ref`, ref, 1, 0xffff_ffff)
  checkInteger(`${name}.status.offset`, offset, 0, PAGE_SIZE - StatusByte.size)
  if (port !== undefined) checkInteger(`${name}.status.port`, port, 1, 0xffff_ffff)
  return { refs, writable, status: port === undefined ? { ref, offset } : { ref, offset, port } }
}

/** Names of errors as they travel: `xsd_errors` of `xen/include/public/io/xs_wire.h`, and EQUOTA, which oxenstored sends. */
export type ErrorName =
  | 'EINVAL'
  | 'EACCES'
  | 'EEXIST'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOSPC'
  | 'EIO'
  | 'ENOSYS'
  | 'EBUSY'
  | 'EAGAIN'
  | 'E2BIG'
  | 'EPERM'
  | 'EQUOTA'

/** A request that is answered with an error. */
export class Refusal extends Error {
  readonly code: ErrorName

  constructor(code: ErrorName) {
    super(code)
    this.code = code
  }
}

import { invalidArgType } from '../arguments.js'

/** Names a grant to other threads of the process: plain data for postMessage. It holds nothing open by itself. */
export interface GrantHandle {
  readonly type: 'xen-grants.handle'
  readonly server: string
  readonly id: number
  readonly domid: number
  readonly pages: number
  readonly writable: boolean
}

export function checkHandle(value: unknown): GrantHandle {
  const { type, server, id } = (value ?? {}) as Partial<GrantHandle>
  if (type !== 'xen-grants.handle' || typeof server !== 'string' || !Number.isSafeInteger(id)) {
    throw invalidArgType('handle', 'what Grant.handle() returned', value)
  }
  return value as GrantHandle
}

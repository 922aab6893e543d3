/** What is made of a domain's parts, and has to be closed before they are: it needs them for that. */
export interface Dependent {
  close(): Promise<void>
}

/** A Xen's, for those who are made with it. */
export const dependents: unique symbol = Symbol.for('xen-grants.dependents')

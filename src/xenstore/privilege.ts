import { MessageType } from '../drivers/xenbus/wire.js'
import { type Caller, strings, textOf } from './caller.js'
import { protocolError, type Subject, XenStoreError } from './store-error.js'

/**
 * Whether xenstored takes this connection for that of domain 0, or of another with its rights. Neither socket nor device
 * tells: so it is asked something that it tells no other domain.
 */
export async function isPrivileged(
  caller: Caller,
  subject: Subject,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await isIntroduced(caller, 0, subject, signal)
    return true
  } catch (error) {
    if (error instanceof XenStoreError && error.code === 'EACCES') return false
    throw error
  }
}

/** @throws XenStoreError EACCES for a guest */
export async function isIntroduced(
  caller: Caller,
  domid: number,
  subject: Subject,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const message = strings(String(domid))
  const answer = textOf(
    await caller.call({ subject, type: MessageType.isDomainIntroduced, message, signal }),
    subject,
  )
  if (answer === 'T' || answer === 'F') return answer === 'T'
  throw protocolError('xenstored answers neither T nor F', subject)
}

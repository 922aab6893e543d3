/**
 * The convention by which a granter learns what its peer does with a grant. The driver does not tell: only a notification
 * that the *mapper* arms on its own mapping reaches the granter, also when the mapper crashes.
 *
 * The granter shares a **status page**, writable, with the peer's domain and gives each grant two bytes in it. Whoever
 * maps the grant
 *
 * 1. maps the status page in a mapping of its own, before the data and at a higher address: a dying process is unmapped
 *    from low to high addresses, so the data goes first;
 * 2. maps the data;
 * 3. arms an unmap notify on the status mapping: clear the byte `live`, and send an event if there is a channel;
 * 4. writes 1 to `live`, then 1 to `seen`.
 *
 * At the end it unmaps the data, then the status page. A crash does the same. The kernel then clears `live`.
 * One mapping of a grant at a time keeps these two bytes true.
 */
export const StatusByte = { live: 0, seen: 1, size: 2 } as const

/** What a peer does with pages that were offered to it, by its own account. */
export type PeerState =
  /** No peer has mapped the grant yet, or the one that did does not follow the convention. */
  | 'never mapped'
  | 'mapped'
  /** It was mapped, and no longer is; or its domain is gone. */
  | 'released'
  /** The grant was not offered with a status, or the peer has written nonsense. */
  | 'unknown'

/** What two bytes say that a peer may have written anything to. */
export function peerState(live: number | undefined, seen: number | undefined): PeerState {
  if (live === 1 && (seen === 1 || seen === 0)) return 'mapped'
  if (live === 0 && seen === 1) return 'released'
  if (live === 0 && seen === 0) return 'never mapped'
  return 'unknown'
}

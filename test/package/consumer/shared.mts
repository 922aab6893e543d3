// From TypeScript 5.7 on a Uint8Array says whose memory it is over.
import type { Grant } from 'xen-grants'

export const bytesOf = (grant: Grant): Uint8Array<SharedArrayBuffer> => grant.bytes

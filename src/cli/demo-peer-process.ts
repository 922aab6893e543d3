import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath, URL } from 'node:url'

/** Where the peer finds the pages: in a simulated Xen, or on the real one as grants of domain `granter`. */
export type PeerPlace = { simulated: string; domid: number } | { granter: number }

export interface PeerRequest {
  place: PeerPlace
  refs: number[]
  /** Bytes of the pages that count: the last page is not full. */
  size: number
}

export interface PeerVerdict {
  pid: number
  pages: number
  sha256: string
  milliseconds: number
}

/** Has a separate process map the pages and hash what it sees. */
export async function askPeer(place: PeerPlace, refs: Uint32Array, size: number): Promise<PeerVerdict> {
  const child = fork(fileURLToPath(new URL('./demo-peer.js', import.meta.url)))
  const answered = once(child, 'message') as Promise<[PeerVerdict | { error: string }]>
  const exited = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the peer process ended without an answer (${signal ?? `exit code ${code}`})`)
  })
  child.send({ place, refs: [...refs], size } satisfies PeerRequest)
  const [answer] = await Promise.race([answered, exited])
  exited.catch(() => {})
  child.disconnect()
  if ('error' in answer) throw new Error(`the peer process failed: ${answer.error}`)
  return answer
}

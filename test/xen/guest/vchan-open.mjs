import { Vchan } from 'xen-grants/vchan'

const MINUTE_MS = 60_000

/** @returns the stream of one end, with the options of peers/vchan.c */
export function openEnd(xen, role, domid, path, { receive, send, timeout = MINUTE_MS, signal } = {}) {
  const common = { domid, path, ...(signal && { signal }) }
  if (role === 'client') return Vchan.connect(xen, { ...common, timeout })
  return Vchan.serve(xen, {
    ...common,
    ...(receive !== undefined && { receiveBytes: receive }),
    ...(send !== undefined && { sendBytes: send }),
  })
}

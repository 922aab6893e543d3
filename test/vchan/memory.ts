import { VchanEnd } from '../../src/vchan/end.js'
import { Live, Page, writeLayout } from '../../src/vchan/layout.js'

export interface Ends {
  server: VchanEnd
  client: VchanEnd
  words: Uint32Array
  page: Uint8Array<SharedArrayBuffer>
}

/** Both ends of a vchan over memory of this thread. @param start of all four indexes */
export function endsInMemory(order: number, start = 0): Ends {
  const size = 2 ** order
  const page = new Uint8Array(new SharedArrayBuffer(4096))
  const [left, right] = [0, 1].map(() => new Uint8Array(new SharedArrayBuffer(size))) as [
    Uint8Array,
    Uint8Array,
  ]
  writeLayout(page, { left: order, right: order }, [1], undefined)
  const words = new Uint32Array(page.buffer, 0, 6)
  words.fill(start, 0, 4)
  page[Page.clientLive] = Live.connected
  const memory = { page, left, right }
  return {
    server: new VchanEnd('server', memory, { domid: 5, path: '/x' }),
    client: new VchanEnd('client', memory, { domid: 3, path: '/x' }),
    words,
    page,
  }
}

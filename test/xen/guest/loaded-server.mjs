// A GrantServer that is never idle: it shares, fills and unshares until it is killed. Beside that it holds one grant whose
// every page is full of 0xff and has a notification armed on byte 9; its references are printed as one line of JSON.
import { GrantServer } from 'xen-grants'

const DOMID = 0
const ARMED_PAGES = 3
const ARMED_BYTE = 9

// Whoever started it has ended without killing it.
process.stdin.on('end', () => process.exit()).resume()

const server = await GrantServer.open()
const armed = await server.share({ domid: DOMID, pages: ARMED_PAGES })
armed.bytes.fill(0xff)
for (let page = 0; page < ARMED_PAGES; page++) await armed.setUnmapNotify({ page, clearByte: ARMED_BYTE })

async function churn(pages) {
  for (let round = 0; ; round++) {
    const grant = await server.share({ domid: DOMID, pages, writable: round % 2 === 0 })
    await grant.setUnmapNotify({ page: pages - 1, clearByte: 0 })
    await grant.fill(Buffer.alloc(pages * 4096, round))
    await grant.unshare({ force: round % 3 === 0, fireNotify: round % 5 === 0 })
  }
}

console.log(JSON.stringify({ refs: [...armed.refs] }))
await Promise.all([churn(1), churn(7), churn(40)])

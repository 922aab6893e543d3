// A GrantServer that shares pages with a domain and obeys lines on standard input.
//
//   server.mjs <domid> r|w <pages>
//
// Page p is filled with the byte p + 1. Prints "refs <json>"; "show" prints the first byte of each page; "free" unshares
// them and prints "freed".
import { createInterface } from 'node:readline'
import { GrantServer } from 'xen-grants'

const [domid, access, count] = process.argv.slice(2)
const pages = Number(count)
const server = await GrantServer.open()
const grant = await server.share({ domid: Number(domid), pages, writable: access === 'w' })
await grant.fill(Buffer.concat(Array.from({ length: pages }, (_, page) => Buffer.alloc(4096, page + 1))))
console.log(`refs ${JSON.stringify([...grant.refs])}`)

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'show') {
    const bytes = Array.from({ length: pages }, (_, page) => grant.bytes[page * 4096])
    console.log(`bytes ${JSON.stringify(bytes)}`)
  } else if (line === 'free') {
    await grant.unshare()
    console.log('freed')
  }
}

// Grants pages to a domain through the package's driver and obeys lines on standard input.
//
//   granter.mjs <domid> <flags> <pages>
//
// Page p is filled with the byte p + 1. Prints "refs <json>"; "show" prints the first byte of each page; "free" unmaps
// and frees them and prints "freed".
import { createInterface } from 'node:readline'
import { GntallocDevice } from '../../../dist/src/device/gntalloc.js'
import { PAGE, peek, poke } from './raw.mjs'

const [domid, flags, count] = process.argv.slice(2).map(Number)
const device = new GntallocDevice()
const { index, refs } = device.allocate(domid, flags, count)
const address = device.mmap(index, count)
for (let page = 0; page < count; page++) poke(address + page * PAGE, Buffer.alloc(PAGE, page + 1))
console.log(`refs ${JSON.stringify([...refs])}`)

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'show') {
    const bytes = [...refs].map((_, page) => peek(address + page * PAGE)[0])
    console.log(`bytes ${JSON.stringify(bytes)}`)
  } else if (line === 'free') {
    device.munmap(address, count * PAGE)
    device.deallocate(index, count)
    console.log('freed')
  }
}

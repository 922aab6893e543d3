// A GrantServer that obeys lines on standard input and answers each with one line:
//
//   share <domid> r|w <pages>   page p is filled with the byte p + 1   "<n> refs <json>", n being the line's number
//   show <n>                    the first byte of each page            "<n> bytes <json>"
//   free <n>                                                           "<n> freed"
//   steal <domid> <ref>,<ref>...   tries to map and to copy what another domain has granted, each reference by itself
//                                  "<n> got <json>": what every try came to, each outcome once
import { createInterface } from 'node:readline'
import { GrantMapper, GrantServer } from 'xen-grants'
import { attempts } from './attempts.mjs'

const PAGE = 4096
const server = await GrantServer.open()
const grants = new Map()
let mapper

const pattern = (pages) =>
  Buffer.concat(Array.from({ length: pages }, (_, page) => Buffer.alloc(PAGE, page + 1)))

async function share(number, domid, access, pages) {
  const grant = await server.share({ domid: Number(domid), pages: Number(pages), writable: access === 'w' })
  await grant.fill(pattern(grant.pages))
  grants.set(number, grant)
  return `refs ${JSON.stringify([...grant.refs])}`
}

const commands = {
  share,
  async show(_, n) {
    const { bytes, pages } = grants.get(n)
    return `bytes ${JSON.stringify(Array.from({ length: pages }, (_, page) => bytes[page * PAGE]))}`
  },
  async free(_, n) {
    await grants.get(n).unshare()
    return 'freed'
  },
  async steal(_, domid, refs) {
    mapper ??= await GrantMapper.open()
    return `got ${JSON.stringify(await attempts(mapper, Number(domid), refs.split(',').map(Number)))}`
  },
}

let number = 0
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split(' ')
  number++
  const of = words.length > 1 ? number : words[0]
  console.log(`${of} ${await commands[command](String(number), ...words)}`)
}

import { describe, expect, it } from 'vitest'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { script } from '../setup/process.js'
import { type Peer, useServer } from './fixtures/scripted-server.js'

const server = useServer()

/** Runs a program with a store, whose xenstored answers reads of /a and nothing else. */
async function run(rest: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  void server.peer().then(answer)
  const { code, stdout, stderr } = await script(`
    import { XenStore } from 'xen-grants/xenstore'
    const store = await XenStore.open({ path: ${JSON.stringify(server.path)} })
    ${rest}
  `)
  return { code, stdout, stderr }
}

async function answer(peer: Peer): Promise<void> {
  for (;;) {
    const request = await peer.request()
    const text = request.payload.toString()
    if (text.startsWith('/a')) peer.reply(request, request.type === MessageType.read ? 'value' : 'OK\0')
  }
}

describe('a process with a store', () => {
  it.each([
    ['ends by itself when nothing is pending', "console.log(String(await store.read('/a')))", 'value\n'],
    ['ends by itself after close()', "await store.close(); console.log('closed')", 'closed\n'],
    [
      'ends by itself when what is pending has been aborted',
      `const stop = new AbortController()
       const read = store.read('/silent', { signal: stop.signal }).catch((error) => console.log(error.name))
       setImmediate(() => stop.abort())
       await read`,
      'AbortError\n',
    ],
    [
      'may call process.exit() while something is pending',
      "store.read('/silent').catch(() => {}); setImmediate(() => { console.log('exit'); process.exit(0) })",
      'exit\n',
    ],
    [
      'is kept alive by what is pending',
      `let waited = false
       setTimeout(() => { waited = true; store.close() }, 50).unref()
       await store.read('/silent').catch((error) => console.log(error.code, waited))`,
      'ERR_GRANTS_CLOSED true\n',
    ],
    [
      'is kept alive by a loop that waits, and not by one that has been left',
      `setTimeout(() => store.close(), 50).unref()
       const loop = store.watch('/a')
       console.log(JSON.stringify(await loop.next()))`,
      '{"done":true}\n',
    ],
    [
      'is not kept alive by a loop that waits once its watch is unreferenced, before or after',
      `for (const early of [true, false]) {
         const loop = store.watch('/a')
         if (early) loop.unref()
         loop.next().finally(() => console.log('never'))
         if (!early) loop.ref().unref().unref()
       }
       await store.read('/a')`,
      '',
    ],
    [
      'is kept alive by a loop that waits once its watch is referenced again',
      `setTimeout(() => store.close(), 50).unref()
       const loop = store.watch('/a').unref()
       const next = loop.next()
       loop.ref()
       console.log(JSON.stringify(await next))`,
      '{"done":true}\n',
    ],
  ])('%s', async (_, rest, stdout) => {
    expect(await run(rest)).toEqual({ code: 0, stdout, stderr: '' })
  })
})

it('importing it loads no native code and none of the rest of the package', async () => {
  const { stdout, stderr } = await script(`
    const { XenStore } = await import('xen-grants/xenstore')
    const native = process.report.getReport().sharedObjects.filter((path) => path.includes('koffi'))
    console.log(typeof XenStore.open, native.length)
  `)
  expect({ stdout, stderr }).toEqual({ stdout: 'function 0\n', stderr: '' })
})

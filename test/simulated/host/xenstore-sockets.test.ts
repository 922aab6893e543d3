import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
import { encodeMessage, MessageType as Type } from '../../../dist/src/drivers/xenbus/wire.js'
import { RawStoreClient } from '../../agreement/xenstore-client.mjs'
import { finished, node } from '../../setup/process.js'
import { open, until, withXen } from '../support.js'

const OK = 'OK\0'

async function ask(client: RawStoreClient, type: number, payload: string): Promise<string> {
  return (await client.request(type, 0, payload)).payload
}

/** Connections that live as long as the test does. */
async function clients(...paths: string[]): Promise<RawStoreClient[]> {
  return Promise.all(paths.map((path) => RawStoreClient.open(path)))
}

describe('the sockets of the simulated xenstored', () => {
  it('are made when they are first asked for, one for each domain', () =>
    withXen({}, async (xen) => {
      expect(existsSync(join(xen.path, 'store-0'))).toBe(false)
      const paths = [xen.xenstorePath, xen.domain(3).xenstorePath, xen.domain(5).xenstorePath]
      expect(new Set(paths).size).toBe(3)
      expect(xen.domain(0).xenstorePath).toBe(xen.xenstorePath)
      const [program, three, five] = await clients(...paths)
      await ask(program!, Type.write, '/local/domain/3/data/x\0value')
      expect(await ask(three!, Type.read, 'data/x\0')).toBe('value')
      expect(await ask(five!, Type.read, '/local/domain/3/data/x\0')).toBe('EACCES\0')
      expect(await ask(three!, Type.isDomainIntroduced, '3\0')).toBe('EACCES\0')
      expect(await ask(program!, Type.isDomainIntroduced, '3\0')).toBe('T\0')
      for (const client of [program!, three!, five!]) await client.close()
    }))

  it('are there for the thread that asks, also in another process', () =>
    withXen({}, async (xen) => {
      const program = `
        import { Xen } from 'xen-grants'
import { SimulatedXen } from 'xen-grants/simulated'
        const xen = await SimulatedXen.attach(${JSON.stringify(xen.path)})
        console.log(xen.domain(4).xenstorePath)
        await xen.close()`
      const { stdout } = await finished(node('--input-type=module', '--eval', program))
      expect(stdout.trim()).toBe(xen.domain(4).xenstorePath)
      const [four] = await clients(stdout.trim())
      expect(await ask(four!, Type.read, 'domid\0')).toBe('4')
      await four!.close()
    }))

  it('have a program of a domain served with others of it, with quotas in common', () =>
    withXen({}, async (xen) => {
      const path = xen.domain(3).xenstorePath
      const [one, two] = await clients(path, path)
      await ask(one!, Type.watch, 'data\0t\0')
      await ask(two!, Type.write, 'data/x\x001')
      await one!.settle()
      expect(one!.events()).toEqual(['data\0t\0', 'data/x\0t\0'])
      for (let i = 0; i < 6; i++)
        for (const client of [one!, two!]) await client.request(Type.transactionStart, 0, '\0')
      expect(await xen.counters()).toMatchObject({
        storeConnections: 2,
        storeWatches: 1,
        storeTransactions: 11,
      })
      expect((await xen.domain(4).counters()).storeConnections).toBe(0)
      await one!.close()
      await until(xen, { storeConnections: 1, storeWatches: 0, storeTransactions: 5 })
      await two!.close()
    }))

  it('close a connection with a header that announces too much, after what came before it', () =>
    withXen({}, async (xen) => {
      const [bad, good] = await clients(xen.xenstorePath, xen.xenstorePath)
      const write = { type: Type.write, requestId: 1, transactionId: 0, payload: Buffer.from('/x\0y') }
      const oversize = Buffer.alloc(16)
      oversize.writeUInt32LE(4097, 12)
      bad!.write(Buffer.concat([encodeMessage(write), oversize, encodeMessage(write)]))
      await bad!.closed
      expect(await ask(good!, Type.read, '/x\0')).toBe('y')
      await good!.close()
    }))

  it('are not held up by half messages, garbage, and clients that end in the middle of one', () =>
    withXen({}, async (xen) => {
      const [half, noise, good] = await clients(
        xen.xenstorePath,
        xen.domain(3).xenstorePath,
        xen.xenstorePath,
      )
      const request = encodeMessage({
        type: Type.read,
        requestId: 9,
        transactionId: 0,
        payload: Buffer.from('/\0'),
      })
      half!.write(request.subarray(0, 17))
      noise!.write(Buffer.alloc(64, 0))
      expect((await noise!.reply()).payload).toBe('EACCES\0')
      expect(await ask(good!, Type.read, '/\0')).toBe('')
      half!.write(request.subarray(17))
      expect(await half!.reply()).toMatchObject({ requestId: 9, payload: '' })
      half!.write(request.subarray(0, 5))
      for (const client of [half!, noise!, good!]) await client.close()
    }))

  it('answer many requests of one chunk in order', () =>
    withXen({}, async (xen) => {
      const [client] = await clients(xen.domain(3).xenstorePath)
      const requests = Array.from({ length: 500 }, (_, i) =>
        encodeMessage({
          type: Type.write,
          requestId: i,
          transactionId: 0,
          payload: Buffer.from(`data/x\0${i}`),
        }),
      )
      client!.write(Buffer.concat(requests))
      for (let i = 0; i < 500; i++) expect(await client!.reply()).toMatchObject({ requestId: i, payload: OK })
      expect(await ask(client!, Type.read, 'data/x\0')).toBe('499')
      await client!.close()
    }))

  it('keep little for a client that does not read, and serve the others', () =>
    withXen({}, async (xen) => {
      const [slow, busy] = await clients(xen.domain(3).xenstorePath, xen.xenstorePath)
      await ask(slow!, Type.watch, 'data\0token\0')
      slow!.pause()
      const value = 'x'.repeat(100)
      const writes = Array.from({ length: 200 }, (_, i) => {
        const payload = Buffer.from(`/local/domain/3/data/${i % 50}\0${value}`)
        return encodeMessage({ type: Type.write, requestId: i, transactionId: 0, payload })
      })
      for (let round = 0; round < 200; round++) {
        busy!.write(Buffer.concat(writes))
        for (const _ of writes) await busy!.reply()
      }
      expect(await ask(busy!, Type.read, '/local/domain/3/data/7\0')).toBe(value)
      slow!.resume()
      await slow!.settle()
      const events = slow!.events()
      // What one socket buffer holds came as it happened, what waited came once for each node.
      expect(events.length).toBeLessThan(20_000)
      expect(new Set(events).size).toBe(51)
      for (const client of [slow!, busy!]) await client.close()
    }))

  it('let requests wait of a client that does not read its replies', () =>
    withXen({}, async (xen) => {
      const [greedy, other] = await clients(xen.xenstorePath, xen.xenstorePath)
      await ask(other!, Type.write, `/large\0${'x'.repeat(4000)}`)
      greedy!.pause()
      const read = encodeMessage({
        type: Type.read,
        requestId: 1,
        transactionId: 0,
        payload: Buffer.from('/large\0'),
      })
      const count = 20_000
      for (let i = 0; i < count; i++) greedy!.write(read)
      for (let i = 0; i < 100; i++) expect(await ask(other!, Type.read, '/large\0')).toHaveLength(4000)
      greedy!.resume()
      for (let i = 0; i < count; i++) await greedy!.reply()
      for (const client of [greedy!, other!]) await client.close()
    }))
})

describe('a domain of the simulated Xen', () => {
  it('is in the store as libxl makes it, from its first use on', () =>
    withXen({}, async (xen) => {
      const [program] = await clients(xen.xenstorePath)
      await ask(program!, Type.watch, '@introduceDomain\0t\0')
      expect(await ask(program!, Type.directory, '/local/domain\0')).toBe('0\0')
      const device = await open(xen.domain(5))
      await program!.settle()
      expect(program!.events()).toEqual(['@introduceDomain\0t\0', '@introduceDomain\0t\0'])
      expect(await ask(program!, Type.directory, '/local/domain\0')).toBe('0\x005\0')
      const [five] = await clients(xen.domain(5).xenstorePath)
      expect(await ask(five!, Type.read, 'domid\0')).toBe('5')
      expect(await ask(five!, Type.read, 'name\0')).toBe('domain-5')
      const vm = await ask(five!, Type.read, 'vm\0')
      expect(await ask(five!, Type.read, `${vm}/name\0`)).toBe('domain-5')
      expect(await ask(five!, Type.getPerms, '/local/domain/5\0')).toBe('n0\0r5\0')
      for (const path of ['data', 'control/shutdown', 'device/suspend/event-channel', 'attr'])
        expect(await ask(five!, Type.write, `${path}\0x`)).toBe(OK)
      for (const path of ['name', 'domid', 'memory/target', 'control', 'own', '/tool/x', '/local/domain/0/x'])
        expect(await ask(five!, Type.write, `${path}\0x`)).toBe('EACCES\0')
      for (const path of ['/', '/local/domain', '/libxl', '/local/domain/0'])
        expect(await ask(five!, Type.directory, `${path}\0`)).toBe('EACCES\0')
      device.close()
      for (const client of [program!, five!]) await client.close()
    }))

  it('that was used before the store is in it as well', () =>
    withXen({}, async (xen) => {
      const device = await open(xen.domain(7))
      const [program] = await clients(xen.xenstorePath)
      expect(await ask(program!, Type.isDomainIntroduced, '7\0')).toBe('T\0')
      expect(await ask(program!, Type.isDomainIntroduced, '8\0')).toBe('F\0')
      device.close()
      await program!.close()
    }))

  it('can be introduced by a program, which then makes its folder', () =>
    withXen({}, async (xen) => {
      const [program] = await clients(xen.xenstorePath)
      expect(await ask(program!, Type.introduce, '9\x001\x001\0')).toBe(OK)
      const [nine] = await clients(xen.domain(9).xenstorePath)
      expect(await ask(nine!, Type.read, 'domid\0')).toBe('EACCES\0')
      for (const client of [program!, nine!]) await client.close()
    }))

  it('takes its connections and nodes with it when it is destroyed', () =>
    withXen({}, async (xen) => {
      const domain = xen.domain(3)
      const [program, three, five] = await clients(
        xen.xenstorePath,
        domain.xenstorePath,
        xen.domain(5).xenstorePath,
      )
      await ask(program!, Type.write, '/shared\0')
      await ask(program!, Type.setPerms, '/shared\0b0\0')
      await ask(three!, Type.write, '/shared/of3\0x')
      await ask(program!, Type.watch, '@releaseDomain\0r\0')
      await ask(program!, Type.watch, '/local/domain/3\0d\0')
      await ask(program!, Type.watch, '/shared/of3\0s\0')
      await program!.settle()
      program!.events()
      await domain.destroy()
      await three!.closed
      await program!.settle()
      expect(program!.events()).toEqual(['/local/domain/3\0d\0', '/shared/of3\0s\0', '@releaseDomain\0r\0'])
      expect(await ask(program!, Type.directory, '/local/domain\0')).toBe('0\x005\0')
      expect(await ask(program!, Type.directory, '/vm\0')).toMatch(/^[^\0]+\0$/)
      expect(await ask(program!, Type.isDomainIntroduced, '3\0')).toBe('F\0')
      expect(await ask(program!, Type.introduce, '3\x001\x001\0')).toBe('EINVAL\0')
      expect(await ask(five!, Type.read, 'domid\0')).toBe('5')
      await expect(connecting(domain.xenstorePath)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      await expect(connecting(xen.domain(3).xenstorePath)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      for (const client of [program!, five!]) await client.close()
    }))
})

it('a domain is where Xen.open() has its store', () =>
  withXen({}, async (xen) => {
    const three = await Xen.open({ on: xen.domain(3) })
    const five = await Xen.open({ on: xen.domain(5) })
    const [ours, theirs] = [await three.store(), await five.store()]
    await ours.write('data/offer', '8')
    await ours.setPermissions('data/offer', [
      { domid: 3, access: 'none' },
      { domid: 5, access: 'read' },
    ])
    expect(await theirs.readText('/local/domain/3/data/offer')).toBe('8')
    await three.close()
    await five.close()
  }))

it('the sockets go with the simulated Xen', async () => {
  const xen = await SimulatedXen.create()
  const path = xen.xenstorePath
  const [client] = await clients(path)
  await xen.close()
  await client!.closed
  expect(existsSync(path)).toBe(false)
  expect(xen.domain(3).xenstorePath).toContain(xen.path)
})

/** Without another try. */
async function connecting(path: string): Promise<void> {
  await once(connect(path), 'connect')
}

const tools = fileURLToPath(new URL('../../../.cache/xen/root/usr/bin', import.meta.url))
const missing = whyNot()
const run = promisify(execFile)

/** Why the tools of Debian's xenstore-utils cannot be run here. */
function whyNot(): string | undefined {
  const tool = join(tools, 'xenstore-ls')
  if (!existsSync(tool)) return 'sh test/xen/install.sh has not fetched them'
  const listing = execFileSync('ldd', [tool], { encoding: 'utf8' })
  const [lacking] = /\S+ => not found/.exec(listing) ?? []
  return lacking === undefined ? undefined : `they lack ${lacking}`
}

describe.skipIf(missing !== undefined)(`Debian's xenstore-utils${missing ? ` (${missing})` : ''}`, () => {
  const tool = async (path: string, name: string, ...args: string[]) =>
    (await run(join(tools, name), args, { env: { ...process.env, XENSTORED_PATH: path } })).stdout

  it('work on it as domain 0', () =>
    withXen({}, async (xen) => {
      const path = xen.xenstorePath
      await tool(path, 'xenstore-write', '/example/a', 'one', '/example/b', 'two')
      expect(await tool(path, 'xenstore-read', '/example/a', '/example/b')).toBe('one\ntwo\n')
      expect(await tool(path, 'xenstore-list', '/example')).toBe('a\nb\n')
      await tool(path, 'xenstore-chmod', '/example/a', 'n0', 'r5')
      expect(await tool(path, 'xenstore-ls', '-p', '/example')).toMatch(
        /^a = "one"[ .]+\(n0,r5\)\nb = "two"[ .]+\(n0\)\n$/,
      )
      await tool(path, 'xenstore-rm', '/example')
      await expect(tool(path, 'xenstore-exists', '/example')).rejects.toMatchObject({ code: 1 })
    }))

  it('and as a guest, with blocking calls of the thread that asked for the socket', () =>
    withXen({}, async (xen) => {
      const env = { ...process.env, XENSTORED_PATH: xen.domain(3).xenstorePath }
      const sync = (name: string, ...args: string[]) =>
        execFileSync(join(tools, name), args, { env, encoding: 'utf8', stdio: 'pipe' })
      sync('xenstore-write', 'data/x', '1')
      expect(sync('xenstore-read', '/local/domain/3/data/x')).toBe('1\n')
      expect(() => sync('xenstore-write', 'name', 'other')).toThrow()
      expect(sync('xenstore-ls', 'data')).toBe('x = "1"\n')
    }))

  it('list a directory that takes many replies', () =>
    withXen({}, async (xen) => {
      const [program] = await clients(xen.xenstorePath)
      const name = (i: number) => `child-with-a-long-name-${String(i).padStart(5, '0')}`
      const names = Array.from({ length: 1000 }, (_, i) => name(i))
      for (const child of names) await ask(program!, Type.mkdir, `/long/${child}\0`)
      expect((await tool(xen.xenstorePath, 'xenstore-list', '/long')).trim().split('\n')).toEqual(names)
      await program!.close()
    }))
})

import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { GrantServer } from 'xen-grants'
import { Monitor, type MonitorSnapshot } from 'xen-grants/monitor'
import { script } from '../setup/process.js'
import { rejection, useXen } from '../setup/xen.js'

const world = useXen()
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-monitor-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const runtime = process.env.XDG_RUNTIME_DIR
beforeEach(() => {
  process.env.XDG_RUNTIME_DIR = folder
})
afterEach(() => {
  if (runtime === undefined) delete process.env.XDG_RUNTIME_DIR
  else process.env.XDG_RUNTIME_DIR = runtime
})

async function joined(path: string): Promise<Socket> {
  const socket = connect(path)
  await once(socket, 'connect')
  return socket
}

async function ask(path: string): Promise<MonitorSnapshot> {
  const socket = await joined(path)
  socket.write('\n')
  const [line] = (await once(createInterface({ input: socket }), 'line')) as [string]
  socket.destroy()
  return JSON.parse(line) as MonitorSnapshot
}

it('tells the figures of its servers, by domain, through a socket that only this user may use, and removes that', async () => {
  await using server = await GrantServer.open({ device: world.xen })
  await server.share({ domid: 7, pages: 3 })
  const monitor = await Monitor.open({ servers: [server] })
  expect(statSync(monitor.path).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'xen-grants')).mode & 0o777).toBe(0o700)
  expect(await ask(monitor.path)).toMatchObject({
    version: 1,
    pid: process.pid,
    servers: [{ grants: 1, pages: 3, domains: { 7: 3 } }],
    errors: 0,
  })
  await rejection(server.share({ domid: 7, pages: 1 << 20 }))
  expect((await ask(monitor.path)).errors).toBe(1)
  await monitor.close()
  expect(readdirSync(join(folder, 'xen-grants'))).toEqual([])
})

it('says of a server that is closed that it is, and goes on', async () => {
  const server = await GrantServer.open({ device: world.xen })
  await using monitor = await Monitor.open({ servers: server })
  await server.close()
  expect((await ask(monitor.path)).servers).toEqual([
    { error: expect.stringContaining('[ERR_GRANTS_CLOSED]') },
  ])
})

it.each([
  ['anything but newlines', 'GET / HTTP/1.1\n'],
  ['more questions than it takes answers', '\n'.repeat(1000)],
])('disconnects whoever sends %s', async (_what, sent) => {
  await using monitor = await Monitor.open()
  const socket = await joined(monitor.path)
  socket.resume().on('error', () => {})
  const closed = once(socket, 'close')
  socket.write(sent)
  await closed
  expect((await ask(monitor.path)).pid).toBe(process.pid)
})

it('serves a bounded number of connections', async () => {
  await using monitor = await Monitor.open()
  const sockets = await Promise.all(Array.from({ length: 16 }, () => joined(monitor.path)))
  // Each has been accepted once it has answered.
  for (const socket of sockets) {
    socket.write('\n')
    await once(socket, 'data')
  }
  const refused = connect(monitor.path)
  refused.on('error', () => {})
  await once(refused, 'close')
  for (const socket of sockets) socket.destroy()
})

it('closing disconnects whoever looks', async () => {
  const monitor = await Monitor.open()
  const socket = await joined(monitor.path)
  socket.resume().on('error', () => {})
  socket.write('\n')
  await once(socket, 'data')
  const closed = once(socket, 'close')
  await monitor.close()
  await closed
})

it('keeps no process alive, and removes its socket when the process ends', async () => {
  const { code, stdout, stderr } = await script(`
    import { Monitor } from 'xen-grants/monitor'
    console.log((await Monitor.open()).path)
  `)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(join(folder, 'xen-grants'))
  expect(existsSync(stdout.trim())).toBe(false)
  expect(readdirSync(join(folder, 'xen-grants'))).toEqual([])
})

it('replaces no file, and leaves nothing beside it', async () => {
  const path = join(folder, 'mine')
  writeFileSync(path, 'mine')
  expect(await rejection(Monitor.open({ path }))).toMatchObject({ code: 'EEXIST' })
  expect(readdirSync(folder).sort()).toEqual(['mine', 'xen-grants'])
})

it('does not use a folder that others may enter', async () => {
  chmodSync(join(folder, 'xen-grants'), 0o755)
  expect(await rejection(Monitor.open())).toMatchObject({ code: 'EACCES' })
  chmodSync(join(folder, 'xen-grants'), 0o700)
})

it.each([
  [{ servers: 7 }, 'ERR_INVALID_ARG_TYPE'],
  [{ servers: [{}] }, 'ERR_INVALID_ARG_TYPE'],
  [{ server: [] }, 'ERR_INVALID_ARG_VALUE'],
  [{ path: 7 }, 'ERR_INVALID_ARG_TYPE'],
  [{ path: `/${'x'.repeat(90)}/y` }, 'ERR_OUT_OF_RANGE'],
])('refuses %j', async (options, code) => {
  expect(await rejection(Monitor.open(options as never))).toMatchObject({ code })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { XenStore, type XenStoreOptions } from 'xen-grants/xenstore'
import { storeDescriptor } from '../../dist/src/drivers/xenbus/store-device.js'
import { script } from '../setup/process.js'
import { rejection } from '../setup/xen.js'
import { useServer } from './fixtures/scripted-server.js'

const server = useServer()
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-open-'))
afterAll(() => rmSync(folder, { recursive: true }))

const { XENSTORED_PATH, XENSTORED_RUNDIR } = process.env
afterEach(() => {
  delete process.env.XENSTORED_PATH
  delete process.env.XENSTORED_RUNDIR
  Object.assign(process.env, XENSTORED_PATH && { XENSTORED_PATH }, XENSTORED_RUNDIR && { XENSTORED_RUNDIR })
})

describe('without a path', () => {
  it('it is the file that XENSTORED_PATH names', async () => {
    const peer = server.peer()
    process.env.XENSTORED_PATH = server.path
    const store = await XenStore.open()
    await peer
    expect(store.path).toBe(server.path)
    await store.close()
    // And no other, if that is not there.
    process.env.XENSTORED_PATH = join(folder, 'absent')
    expect(await rejection(XenStore.open())).toMatchObject({ code: 'ENOENT', path: join(folder, 'absent') })
  })

  it('it is the socket in XENSTORED_RUNDIR, and the device after that; when there is neither, both are named', async () => {
    const peer = server.peer()
    process.env.XENSTORED_RUNDIR = join(server.path, '..')
    const store = await XenStore.open()
    await peer
    await store.close()
    process.env.XENSTORED_RUNDIR = folder
    const error = await rejection(XenStore.open())
    expect(error).toMatchObject({ name: 'XenStoreError', operation: 'open', path: '/dev/xen/xenbus' })
    expect(error.message).toContain(`${folder}/socket`)
    expect(error.message).toContain('/dev/xen/xenbus')
  })
})

describe('what cannot be opened says what to do', () => {
  it('nothing is there', async () => {
    const error = await rejection(XenStore.open({ path: join(folder, 'absent') }))
    expect(error).toMatchObject({ name: 'XenStoreError', code: 'ENOENT', operation: 'open' })
    expect(error.message).toMatch(/domain 0 only/)
  })

  it('nobody listens any more', async () => {
    const path = join(folder, 'dead')
    // The file outlives its process when that is killed.
    const end = "() => process.kill(process.pid, 'SIGKILL')"
    const { signal } = await script(`import { createServer } from 'node:net'
      createServer().listen(${JSON.stringify(path)}, ${end})`)
    expect(signal).toBe('SIGKILL')
    const error = await rejection(XenStore.open({ path }))
    expect(error).toMatchObject({ code: 'ECONNREFUSED', operation: 'open', path })
    expect(error.message).toMatch(/it has ended/)
  })

  it('a path that leads through a file', async () => {
    const path = '/etc/passwd/socket'
    expect(await rejection(XenStore.open({ path }))).toMatchObject({
      name: 'XenStoreError',
      code: 'ENOTDIR',
      path,
    })
  })

  it('a file that is neither socket nor device', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, '')
    for (const other of [path, '/dev/null'])
      expect(await rejection(XenStore.open({ path: other }))).toMatchObject({
        name: 'XenStoreError',
        operation: 'open',
        path: other,
        message: expect.stringContaining('/dev/xen/xenbus'),
      })
  })
})

describe('options', () => {
  it.each<[unknown, string]>([
    [{ path: '' }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: 'a\0b' }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ pth: '/a' }, 'ERR_INVALID_ARG_VALUE'],
    [{ window: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ window: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: 2 ** 31 }, 'ERR_OUT_OF_RANGE'],
    [{ maxTransactions: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['/a', 'ERR_INVALID_ARG_TYPE'],
  ])('%j: %s', async (options, code) => {
    expect(await rejection(XenStore.open(options as XenStoreOptions))).toMatchObject({ code })
  })

  it('a signal ends the opening, before and while it takes place', async () => {
    const reason = new Error('enough')
    expect(await rejection(XenStore.open({ path: server.path, signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    )
    await server.listen()
    const stop = new AbortController()
    const opening = rejection(XenStore.open({ path: server.path, signal: stop.signal }))
    stop.abort(reason)
    expect(await opening).toBe(reason)
  })

  it('what stands for a domain carries where its xenstore is', async () => {
    const peer = server.peer()
    const store = await XenStore.open({ path: { [storeDescriptor]: { socket: server.path } } })
    await peer
    await store.close()
  })
})

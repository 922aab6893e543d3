import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { kill, start, withXen } from '../support.js'

const scratch = mkdtempSync(join(tmpdir(), 'xen-grants-test-'))
afterAll(() => rmSync(scratch, { recursive: true }))

describe('the directory of a simulated Xen', () => {
  it('is private, new each time, and gone after the close', async () => {
    const [one, other] = [await SimulatedXen.create(), await SimulatedXen.create()]
    expect(one.path).not.toBe(other.path)
    expect(statSync(one.path).mode & 0o777).toBe(0o700)
    expect(readdirSync(one.path).sort()).toEqual([
      'control.sock',
      'events',
      'memory',
      'memory.mapped',
      'memory.peers',
      'owner',
    ])
    await Promise.all([one.close(), one.close(), other.close()])
    expect([existsSync(one.path), existsSync(other.path)]).toEqual([false, false])
  })

  it('is removed when the process ends without a close', async () => {
    const { child, message } = await start('creator.mjs', 'exit')
    if (child.exitCode === null) await once(child, 'exit')
    expect(existsSync(message as string)).toBe(false)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is removed when the process dies of %s',
    async (signal) => {
      const { child, message } = await start('creator.mjs', 'stay')
      const ended = once(child, 'exit')
      child.kill(signal)
      expect(await ended).toEqual([null, signal])
      expect(existsSync(message as string)).toBe(false)
    },
  )

  it('stays when a program listens to the signal itself, and decides to go on', async () => {
    const { child, message } = await start('creator.mjs', 'listen')
    const heard = once(child, 'message')
    child.kill('SIGTERM')
    expect(await heard).toEqual(['SIGTERM', undefined])
    expect(existsSync(message as string)).toBe(true)
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    expect(await ended).toEqual([null, 'SIGINT'])
    expect(existsSync(message as string)).toBe(false)
  })

  it('that was begun long ago and has no owner is removed by the next one, a fresh one is not', async () => {
    await withXen({}, async (xen) => {
      const folder = dirname(xen.path)
      const [old, torn, fresh] = ['1-aaaaaaaa', '1-bbbbbbbb', '1-cccccccc'].map((name) => join(folder, name))
      for (const directory of [old!, torn!, fresh!]) mkdirSync(directory)
      writeFileSync(join(torn!, 'owner'), '{"pid":')
      const longAgo = new Date(Date.now() - 120_000)
      for (const directory of [old!, torn!]) utimesSync(directory, longAgo, longAgo)
      try {
        await withXen({}, async () => {
          expect([old, torn, fresh].map((directory) => existsSync(directory!))).toEqual([false, false, true])
        })
      } finally {
        rmSync(fresh!, { recursive: true })
      }
    })
  })

  it('is removed by the next one when its process was killed, and not before', async () => {
    const { child, message } = await start('creator.mjs', 'stay')
    const left = message as string
    await withXen({}, async (xen) => {
      expect(dirname(left)).toBe(dirname(xen.path))
      expect(existsSync(left), 'its process lives').toBe(true)
    })
    await kill(child)
    await withXen({}, async () => expect(existsSync(left)).toBe(false))
  })

  it('may be named: refused while in use, taken over once its process has ended', async () => {
    const path = join(scratch, 'named')
    const { child } = await start('creator.mjs', 'stay', path)
    await expect(SimulatedXen.create({ path })).rejects.toMatchObject({ code: 'EADDRINUSE', path })
    const attached = await SimulatedXen.attach(path)
    expect(await attached.counters()).toMatchObject({ sessions: 1 })
    await kill(child)
    await attached.close()
    await withXen({ path }, async (xen) => expect(xen.path).toBe(path))
    expect(existsSync(path)).toBe(false)
  })

  it('is not mistaken for that of a later process with the same number', async () => {
    const path = join(scratch, 'reused')
    const xen = await SimulatedXen.create({ path })
    const owner = join(path, 'owner')
    const text = readFileSync(owner, 'utf8')
    await xen.close()
    mkdirSync(path)
    writeFileSync(owner, text)
    await expect(SimulatedXen.create({ path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    writeFileSync(owner, text.replace(/"started":"\d+"/, '"started":"1"'))
    await withXen({ path }, async () => {})
  })

  it('is never one that something else has made', async () => {
    const path = join(scratch, 'other')
    mkdirSync(path)
    writeFileSync(join(path, 'precious'), '')
    await expect(SimulatedXen.create({ path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(existsSync(join(path, 'precious'))).toBe(true)
  })

  it('has a name short enough for a socket', async () => {
    const path = join(scratch, 'x'.repeat(100))
    await expect(SimulatedXen.create({ path })).rejects.toMatchObject({
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: expect.stringContaining('at most 107 bytes'),
    })
    expect(existsSync(path)).toBe(false)
  })
})

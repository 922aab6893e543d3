// The commands that need a Xen, on a simulated one.
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EventChannels, GrantServer } from 'xen-grants'
import { map } from '../../dist/src/cli/map.js'
import { notify } from '../../dist/src/cli/notify.js'
import { share } from '../../dist/src/cli/share.js'
import { useXen } from '../setup/xen.js'

const world = useXen()
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-commands-'))
const out = join(folder, 'out')
afterAll(() => rmSync(folder, { recursive: true }))

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      // That of the directory itself.
      return []
    }
  })
}

/** What a command writes goes nowhere else. */
let written: { stdout: string; stderr: string }
beforeEach(() => {
  written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += text
      return true
    })
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('xen-grants map', () => {
  it('writes to a file what another domain has granted, up to --length, and no more than there is', async () => {
    await using server = await GrantServer.open({ device: world.xen })
    await using grant = await server.share({ domid: 7, pages: 3 })
    for (let i = 0; i < grant.byteLength; i++) grant.bytes[i] = i % 251
    const command = { domid: 0, refs: grant.refs.join(' '), out, device: world.xen.domain(7) }
    for (const [options, expected] of [
      [{}, 3 * 4096],
      [{ length: 0 }, 0],
      [{ length: 5000 }, 5000],
    ] as const) {
      written.stderr = ''
      await map({ ...command, ...options })
      while (openFiles().includes(out)) await new Promise((resolve) => setImmediate(resolve))
      expect(Buffer.compare(readFileSync(out), Buffer.from(grant.bytes.slice(0, expected)))).toBe(0)
      expect(written).toEqual({
        stdout: '',
        stderr: `3 pages of domain 0 mapped, ${expected} bytes written to ${out}\n`,
      })
    }
    await expect(map({ ...command, length: 3 * 4096 + 1 })).rejects.toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
    })
    expect(await world.xen.counters()).toMatchObject({ foreignMappings: 0, maps: 0 })
  })
})

describe('xen-grants notify', () => {
  it('binds to a port and notifies it; without one it prints a port, and a line for each event', async () => {
    const waiting = notify({ domid: 7, count: 2, device: world.xen })
    while (written.stdout === '') await new Promise((resolve) => setImmediate(resolve))
    const port = Number(written.stdout)
    // Binding is an event too: Xen cannot tell whether there was one before.
    await using there = await EventChannels.open({ device: world.xen.domain(7) })
    const far = await there.bindInterdomain(0, port)
    await far.wait()
    far.notify()
    while (written.stdout === `${port}\n`) await new Promise((resolve) => setImmediate(resolve))
    far.notify()
    await waiting
    expect(written).toEqual({ stdout: `${port}\nevent\nevent\n`, stderr: '' })
  })

  it('sends one event, and leaves nothing bound', async () => {
    await using here = await EventChannels.open({ device: world.xen })
    const near = await here.bindUnbound(7)
    const events = once(near, 'event')
    await notify({ domid: 0, port: near.port, device: world.xen.domain(7) })
    await events
    expect(await world.xen.counters()).toMatchObject({ ports: 1, files: 1 })
  })
})

describe('xen-grants share', () => {
  it('refuses a domain that there cannot be, and a file with nothing in it', async () => {
    const file = join(folder, 'file')
    for (const [domid, bytes, what] of [
      [70_000, 4096, 'ERR_OUT_OF_RANGE'],
      [7, 0, 'nothing to share'],
    ] as const) {
      writeFileSync(file, Buffer.alloc(bytes))
      const error = await share({ domid, file, device: world.xen }).catch((error) => error)
      expect(`${error.code} ${error.message}`).toContain(what)
    }
    expect(written.stdout).toBe('')
  })
})

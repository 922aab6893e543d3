// send and receive, as processes in two domains of a simulated Xen.
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { Xen } from 'xen-grants'
import { connect, listen } from 'xen-grants/vchan'
import type { Finished } from '../setup/process.js'
import { useXen } from '../setup/xen.js'
import { nothingLeft, type Running, run } from './two-ends.js'

const world = useXen({ limit: 4096 })
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-send-'))
const file = join(folder, 'file')
const bytes = randomBytes(3_000_001)
writeFileSync(file, bytes)
const sha256 = createHash('sha256').update(bytes).digest('hex')
afterAll(() => rmSync(folder, { recursive: true }))

/** Where a test receives: a folder of its own, so that whatever is left in it is seen. */
let place: string
let out: string
let count = 0
beforeEach(() => {
  place = join(folder, String(count++))
  mkdirSync(place)
  out = join(place, 'out')
})

const send = (...args: string[]): Running => run(world.xen, 3, 'send', '--to', '5', ...args)
const receive = (...args: string[]): Running => run(world.xen, 5, 'receive', '--from', '3', ...args)

describe('xen-grants send and receive', () => {
  it('a file arrives whole, with the same SHA-256 at both ends', async () => {
    const sender = send(file)
    const receiver = receive('--out', out)
    expect(await receiver.end).toMatchObject({ code: 0, stdout: '' })
    expect(await sender.end).toMatchObject({ code: 0, stdout: '' })
    for (const { end } of [sender, receiver]) expect((await end).stderr).toContain(`SHA-256 ${sha256}`)
    expect((await receiver.end).stderr).toContain('domain 3 sends "file", 3000001 bytes')
    expect(readFileSync(out).equals(bytes)).toBe(true)
    expect(readdirSync(place)).toEqual(['out'])
  })

  it('standard input arrives at standard output, without a size, through a service of another name', async () => {
    const sender = run(world.xen, 3, 'send', '-', '--to', '5:pipe', '--window', '4096', '--no-hash')
    const receiver = run(world.xen, 5, 'receive', '--from', '3:pipe', '--out', '-')
    sender.stdin.end(bytes)
    const { code, stdout, stderr } = await receiver.end
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('not hashed') })
    expect(Buffer.from(stdout, 'latin1').equals(bytes)).toBe(true)
    expect((await sender.end).code).toBe(0)
  })

  it('an empty file arrives as one', async () => {
    const empty = join(place, 'empty')
    writeFileSync(empty, '')
    const sender = send(empty)
    expect((await receive('--out', out).end).code).toBe(0)
    expect((await sender.end).code).toBe(0)
    expect(readFileSync(out)).toHaveLength(0)
  })

  it('what exists is not replaced, and the sender is not even asked; --force replaces it, through a link', async () => {
    writeFileSync(join(place, 'old'), 'old')
    symlinkSync('old', out)
    const refused = await receive('--out', out).end
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('exists: a transfer is not resumed')
    expect(readFileSync(out, 'utf8')).toBe('old')
    const sender = send(file)
    expect((await receive('--out', out, '--force').end).code).toBe(0)
    expect((await sender.end).code).toBe(0)
    expect(readFileSync(join(place, 'old')).equals(bytes)).toBe(true)
    expect(readdirSync(place).sort()).toEqual(['old', 'out'])
  })

  it('what comes to exist meanwhile is not replaced either, and the sender learns that', async () => {
    const sender = send('-')
    const receiver = receive('--out', out)
    sender.stdin.write('some')
    await receiver.printed('domain 3 sends')
    writeFileSync(out, 'mine')
    sender.stdin.end()
    expect(await receiver.end).toMatchObject({ code: 1 })
    expect((await sender.end).stderr).toMatch(/has not kept the file: it could not be written$/m)
    expect(readFileSync(out, 'utf8')).toBe('mine')
    expect(readdirSync(place)).toEqual(['out'])
  })

  it('what has no size and is larger than wanted is refused', async () => {
    const sender = send('-')
    sender.stdin.end(bytes)
    const { code, stderr } = await receive('--out', out, '--max-bytes', '3000000').end
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('more than the 3000000'),
    })
    expect(await sender.end).toMatchObject({ code: 1, stderr: expect.stringContaining('not kept') })
    expect(readdirSync(place)).toEqual([])
  })

  it.each([
    ['the receiver', 'SIGKILL'],
    ['the receiver', 'SIGINT'],
    ['the sender', 'SIGKILL'],
    ['the sender', 'SIGTERM'],
  ] as const)(
    'in the midst of a transfer %s gets %s: the other fails, nothing is left',
    async (who, signal) => {
      const sender = send('-')
      const receiver = receive('--out', out)
      sender.stdin.write(bytes)
      await receiver.printed('domain 3 sends')
      expect(readdirSync(place)).toEqual([expect.stringMatching(/^out\.[0-9a-f]{8}\.part$/)])
      const [killed, other] = who === 'the sender' ? [sender, receiver] : [receiver, sender]
      killed.child.kill(signal)
      const expected = { SIGKILL: null, SIGINT: 130, SIGTERM: 143 }
      expect((await killed.end).code).toBe(expected[signal])
      const { code, stderr } = await other.end
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/has gone|EPIPE|ECONNRESET/),
      })
      // A process that is killed cannot remove its file.
      if (killed !== receiver || signal !== 'SIGKILL') expect(readdirSync(place)).toEqual([])
      await nothingLeft(world.xen)
    },
  )

  it.each(['SIGINT', 'SIGTERM'] as const)('what nobody has taken is taken back at %s', async (signal) => {
    const sender = send(file)
    await sender.printed('^C takes it back')
    const receiver = receive('--out', out, '--timeout', '0', '--from', '4')
    expect(await receiver.end).toMatchObject({ code: 1, stderr: expect.stringContaining('ETIMEDOUT') })
    sender.child.kill(signal)
    expect((await sender.end).code).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(readdirSync(place)).toEqual([])
    await nothingLeft(world.xen)
  })

  it('between terminals: the sender makes the simulated Xen, for which the receiver waits, and removes it', async () => {
    const own = { path: join(place, 'xen') }
    const missing = await run(own, 5, 'receive', '--from', '3', '--out', out, '--timeout', '0').end
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no simulated Xen at'),
    })
    const receiver = run(own, 5, 'receive', '--from', '3', '--out', out)
    const sender = run(own, 3, 'send', file, '--to', '5')
    expect(await receiver.end).toMatchObject({ code: 0 })
    expect(await sender.end).toMatchObject({ code: 0 })
    expect(readFileSync(out).equals(bytes)).toBe(true)
    expect(readdirSync(place)).toEqual(['out'])
  })

  it('without a receiver the sender gives up when its time is over', async () => {
    const { code, stderr } = await send(file, '--timeout', '0.1').end
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no receiver has come for 0.1 s [ETIMEDOUT]'),
    })
    await nothingLeft(world.xen)
  })

  it.each([
    [['send', '.', '--to', '5'], 'is a folder'],
    [['send', 'README.md', '--to', '5', '--timeout', '0'], 'must be more than 0 seconds'],
    [['send', 'README.md', '--to', '5:with.dot'], 'must be a domid'],
    [['receive', '--from', '3', '--out', '/nowhere/out'], 'ENOENT'],
  ])('%j fails with a sentence', async (args, sentence) => {
    const { code, stderr } = await run(world.xen, 3, ...args).end
    expect(code).toBe(1)
    expect(stderr).toContain(sentence)
    expect(stderr).not.toContain('    at ')
  })
})

describe('named pipes', () => {
  let pipe: string
  beforeEach(() => {
    pipe = join(place, 'pipe')
    execFileSync('mkfifo', [pipe])
  })

  it('a file goes through one at either end', async () => {
    const sender = send(pipe)
    const receiver = receive('--out', out)
    await writeFile(pipe, bytes)
    expect(await receiver.end).toMatchObject({ code: 0 })
    expect((await sender.end).code).toBe(0)
    expect(readFileSync(out).equals(bytes)).toBe(true)
    const second = send(file)
    const reader = receive('--out', pipe)
    expect((await readFile(pipe)).equals(bytes)).toBe(true)
    expect(await reader.end).toMatchObject({ code: 0 })
    expect((await second.end).code).toBe(0)
  })

  it('the first SIGINT ends what waits for the other end of one', async () => {
    const receiver = receive('--out', pipe)
    await receiver.printed('waiting for a program that reads it')
    receiver.child.kill('SIGINT')
    expect((await receiver.end).code).toBe(130)
    const sender = send(pipe)
    await sender.printed('^C takes it back')
    sender.child.kill('SIGINT')
    expect((await sender.end).code).toBe(130)
    await nothingLeft(world.xen)
  })

  it('the first SIGINT ends a receiver whose output is not read', async () => {
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    const sender = send(file)
    const receiver = receive('--out', pipe)
    await receiver.printed('domain 3 sends')
    receiver.child.kill('SIGINT')
    expect((await receiver.end).code).toBe(130)
    expect((await sender.end).code).toBe(1)
    await reader.close()
  })
})

describe('a peer that lies', () => {
  const line = (more: object): Buffer =>
    Buffer.from(`${JSON.stringify({ kind: 'xen-grants file', version: 1, ...more })}\n`)
  /** A block of so many bytes. */
  const block = (text: string): Buffer => Buffer.concat([Buffer.of(text.length, 0, 0, 0), Buffer.from(text)])

  /** What a receiver says to a sender that sends this. */
  async function received(...pieces: Buffer[]): Promise<Finished> {
    await using xen = await Xen.open({ on: world.xen.domain(3) })
    const service = await listen(xen, { name: 'file', domids: [5] }, (socket) => {
      socket.on('error', () => {}).resume()
      socket.write(Buffer.concat(pieces))
    })
    const finished = await receive('--out', out).end
    await service.close()
    return finished
  }

  it('a file with another SHA-256 than its sender has said is not kept', async () => {
    const pieces = [line({ name: 'lie', hash: 'sha256' }), block('data'), block(''), Buffer.alloc(32)]
    const { code, stderr } = await received(...pieces)
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the SHA-256 of what'),
    })
    expect(readdirSync(place)).toEqual([])
  })

  it('a name is no path, and steers no terminal', async () => {
    const { code, stderr } = await received(line({ name: '../../\u001b[2J', size: 0 }), block(''))
    expect(code).toBe(0)
    expect(stderr).toContain('domain 3 sends "../../\\x1b[2J", 0 bytes')
    expect(stderr).not.toContain('\u001b')
    expect(readdirSync(place)).toEqual(['out'])
  })

  it('a receiver that has another SHA-256, or that complains, is a failure', async () => {
    await using xen = await Xen.open({ on: world.xen.domain(5) })
    for (const [answer, sentence] of [
      [{ bytes: 3_000_001, sha256: 'ab'.repeat(32) }, 'has another SHA-256'],
      [{ bytes: 0, error: 'the disk \u001b is full' }, 'has not kept the file: the disk ? is full'],
    ] as const) {
      const sender = send(file)
      const socket = await connect(xen, { domid: 3, name: 'file', timeout: 20_000 })
      socket.on('error', () => {})
      const digest = Buffer.from(sha256, 'hex')
      // The last that comes.
      socket.on('data', (chunk: Buffer) => {
        if (chunk.subarray(-digest.length).equals(digest)) socket.write(`${JSON.stringify(answer)}\n`)
      })
      const { code, stderr } = await sender.end
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(sentence) })
      if (!socket.closed) await once(socket, 'close')
    }
  })
})

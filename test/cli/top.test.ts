import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { main } from '../setup/installed.js'
import { finished } from '../setup/process.js'

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-top-'))
const socket = join(folder, 'socket')

/** Each ends with its input. */
const monitored = (...args: string[]) => inFolder('test/fixtures/monitored.mjs', ...args)
const OPEN = `const { path } = await (await import('xen-grants/monitor')).Monitor.open()
  console.log(path)
  process.stdin.resume()`
const idle = () => inFolder('--input-type=module', '--eval', OPEN)

function inFolder(...args: string[]): ChildProcess {
  return spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, XDG_RUNTIME_DIR: folder },
  })
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
  return line.trim()
}

function top(...args: string[]): ChildProcess {
  return spawn(process.execPath, [main, 'top', '--interval', '0.05', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, XDG_RUNTIME_DIR: folder },
  })
}

let subject: ChildProcess
beforeAll(async () => {
  subject = monitored(socket)
  expect(await firstLine(subject)).toBe(socket)
})
afterAll(async () => {
  const end = once(subject, 'close')
  subject.stdin!.end()
  expect(await end).toEqual([0, null])
  expect(existsSync(socket)).toBe(false)
  rmSync(folder, { recursive: true })
})

describe('xen-grants top, not on a terminal', () => {
  it('prints a table once', async () => {
    const { code, stdout, stderr } = await finished(top('--socket', socket))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`monitored.mjs (process ${subject.pid})`)
    expect(stdout).toMatch(/server 1 +3 grants, \d+ of \d+ pages/)
    expect(stdout).toMatch(/domains .*7: 12 {2}9: 3 pages/)
    expect(stdout).toContain('streams   2 open, 2 in all')
    expect(stdout).toMatch(/^ +5 .*\/s .*\/s .*\/local\/domain\/3\/data\/here$/m)
    expect(stdout.match(/server 1/g)).toHaveLength(1)
  })

  it('prints so many objects of JSON, with rates between them', async () => {
    const { code, stdout } = await finished(top('--socket', socket, '--json', '--count', '2'))
    expect(code).toBe(0)
    const told = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(told).toHaveLength(2)
    for (const one of told) {
      expect(one).toMatchObject({
        pid: subject.pid,
        servers: [{ grants: 3, domains: { 7: 12, 9: 3 }, deferred: { pages: 0 } }],
        streamsOpen: 2,
        rates: { shares: 0 },
      })
      expect(one.rates.streams).toHaveLength(2)
    }
    const [{ streams: before, time: from }, { streams: after, time: to, rates }] = told
    const seconds = (to - from) / 1000
    expect(rates.streams[0].read).toBeCloseTo((after[0].bytesRead - before[0].bytesRead) / seconds)
    expect(after[0].bytesRead).toBeGreaterThan(0)
  })
})

describe('xen-grants top, looking for a process', () => {
  it('finds the only one, wants a choice between several, and removes what a killed one has left', async () => {
    const none = await finished(top())
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('no process of this user can be looked at')
    const one = idle()
    await firstLine(one)
    const found = await finished(top('--json'))
    expect(JSON.parse(found.stdout).pid).toBe(one.pid)
    const other = idle()
    await firstLine(other)
    const several = await finished(top())
    expect(several.code).toBe(1)
    expect(several.stderr).toMatch(new RegExp(`say which process: .*\\b${other.pid}\\b`))
    expect(JSON.parse((await finished(top(String(other.pid), '--json'))).stdout).pid).toBe(other.pid)
    const ends = [once(one, 'close'), once(other, 'close')]
    other.kill('SIGKILL')
    one.stdin!.end()
    await Promise.all(ends)
    expect(readdirSync(join(folder, 'xen-grants'))).toHaveLength(1)
    expect((await finished(top())).code).toBe(1)
    expect(readdirSync(join(folder, 'xen-grants'))).toEqual([])
  })
})

/** A terminal of 16 lines and 50 columns. `tty`: its device. */
class Terminal {
  readonly child: ChildProcess
  shown = ''
  readonly #ended: Promise<unknown[]>

  constructor(path = socket, interval = 0.05) {
    const command = `stty rows 16 cols 50; tty; exec "${process.execPath}" ${main} top --socket ${path} --interval ${interval}`
    this.child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#ended = once(this.child, 'close')
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text
    })
  }

  get tty(): string {
    return /\/dev\/\S+/.exec(this.shown)![0]
  }

  async until(sign: string | RegExp): Promise<void> {
    const seen = () => (typeof sign === 'string' ? this.shown.includes(sign) : sign.test(this.shown))
    while (!seen()) await once(this.child.stdout!, 'data')
  }

  /** The lines of the last complete picture. */
  picture(): string[] {
    const last = this.shown.split('\x1b[H').findLast((part) => part.includes('\x1b[J'))!
    return last
      .slice(0, last.indexOf('\x1b[J'))
      .split(/\r*\n/)
      .map((line) => line.replaceAll('\x1b[K', ''))
  }

  async type(keys: string): Promise<number> {
    this.child.stdin!.write(keys)
    return this.end()
  }

  async end(): Promise<number> {
    const [code] = (await this.#ended) as [number]
    return code
  }
}

describe('xen-grants top, on a terminal', () => {
  const ENTER = '\x1b[?1049h'
  const LEAVE = '\x1b[?25h\x1b[?1049l'

  it.each([
    ['q', 'q'],
    ['^C', '\x03'],
  ])(
    'draws again and again, cut to the terminal, until %s, which leaves the terminal as it was',
    async (_name, key) => {
      const terminal = new Terminal()
      await terminal.until(/\d iB\/s|[\d.]+ [KM]?i?B\/s/)
      const lines = terminal.picture()
      expect(lines.length).toBeLessThanOrEqual(16)
      expect(lines.every((line) => line.length <= 50)).toBe(true)
      expect(lines[2]).toMatch(/^server 1 +3 grants/)
      expect(await terminal.type(key)).toBe(0)
      expect(terminal.shown.split(ENTER)).toHaveLength(2)
      expect(terminal.shown.trimEnd().endsWith(LEAVE)).toBe(true)
    },
  )

  it('fits itself to a terminal whose size changes, at once', async () => {
    const terminal = new Terminal(socket, 1000)
    await terminal.until('server 1')
    execFileSync('stty', ['-F', terminal.tty, 'rows', '5', 'cols', '20'])
    const drawn = terminal.shown.length
    await terminal.until(
      new RegExp(`^[\\s\\S]{${drawn}}[\\s\\S]*\\x1b\\[H[^\\x1b]*(?:\\x1b\\[K[^\\x1b]{0,24}){5}\\x1b\\[J`),
    )
    const lines = terminal.picture()
    expect(lines).toHaveLength(5)
    expect(lines.every((line) => line.length <= 20)).toBe(true)
    expect(await terminal.type('q')).toBe(0)
  })

  it('says when the process has ended, and leaves the terminal as it was', async () => {
    const path = join(folder, 'short')
    const answer = `${JSON.stringify({ version: 1, name: 'it' })}\n`
    const server = createServer((connection) => connection.once('data', () => connection.end(answer))).listen(
      path,
    )
    await once(server, 'listening')
    const terminal = new Terminal(path)
    expect(await terminal.end()).toBe(1)
    server.close()
    expect(terminal.shown).toMatch(/it \(process 0\)/)
    expect(terminal.shown.split(LEAVE)[1]).toContain('the process has ended')
  })
})

describe('xen-grants top, told lies', () => {
  const lies = join(folder, 'lies')
  async function lookAt(answer: string, ...args: string[]) {
    const server = createServer((connection) => {
      connection.on('error', () => {})
      connection.on('data', () => connection.write(answer))
    }).listen(lies)
    await once(server, 'listening')
    try {
      return await finished(top('--socket', lies, ...args))
    } finally {
      server.close()
    }
  }
  const hostile = '\x1b]0;title\x07\x9b31m\u202e\r\n'
  const told = {
    version: 1,
    pid: hostile,
    name: hostile,
    time: 1,
    servers: [
      { error: hostile },
      {
        grants: -1,
        pages: '7',
        domains: { [hostile]: 3, 7: hostile },
        deferred: null,
        fills: [],
        shareLatency: 3,
      },
    ],
    streams: [{ domid: 'x', path: hostile, bytesRead: '1' }, null, 3],
    streamsOpen: {},
  }
  let time = 0
  const line = () => `${JSON.stringify({ ...told, time: ++time })}\n`

  it.each([[[]], [['--json']]])('shows them without anything that steers a terminal: %j', async (args) => {
    const { code, stdout, stderr } = await lookAt(
      `${line()}${JSON.stringify({ ...told, time: 1e9 })}\n`,
      ...args,
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^[\n -~]+$/)
    expect(stdout).toContain('title')
  })

  it.each([
    ['what is not JSON', `${hostile}\n`, 'not JSON'],
    ['another version', '{"version":2}\n', 'another version'],
    ['no object', 'null\n', 'another version'],
    ['what never ends', 'x'.repeat(5 << 20), 'too long'],
  ])('says what is wrong with %s', async (_what, answer, why) => {
    const { code, stdout, stderr } = await lookAt(answer)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(why)
    expect(stderr).toMatch(/^[\n -~]+$/)
  })

  it('says when the process has gone', async () => {
    const server = createServer((connection) => connection.resume().end()).listen(lies)
    await once(server, 'listening')
    const { code, stderr } = await finished(top('--socket', lies))
    server.close()
    expect(code).toBe(1)
    expect(stderr).toContain('the process has ended')
  })
})

import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { escaped } from '../../src/cli/escaped.js'
import { main } from '../setup/installed.js'
import { finished, node } from '../setup/process.js'

interface Daemon {
  socket: string
  stop(): Promise<void>
}
const { startXenstored, whyNot }: { startXenstored(): Promise<Daemon>; whyNot(): string | undefined } =
  await import(new URL('../xenstored/daemon.mjs', import.meta.url).href)

const reason = whyNot()

describe.skipIf(reason)(`xen-grants store${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let daemon: Daemon
  beforeAll(async () => {
    daemon = await startXenstored()
  })
  afterAll(() => daemon?.stop())

  const store = (...args: string[]) => finished(node(main, 'store', ...args, '--path', daemon.socket))
  const output = async (...args: string[]) => {
    const { code, stdout, stderr } = await store(...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  it('writes, reads, lists with permissions and removes', async () => {
    await output('write', '/top/a/b', 'one "quoted" \\ line\n')
    await output('write', '/top/c', '')
    await output('chmod', '/top/c', 'n0', 'r7')
    expect(await output('read', '/top/a/b')).toBe('one \\"quoted\\" \\\\ line\\n\n')
    expect(await output('read', '/top/a/b', '--raw')).toBe('one "quoted" \\ line\n')
    expect(await output('ls', '/top')).toBe(
      '/top = ""\n a = ""\n  b = "one \\"quoted\\" \\\\ line\\n"\n c = ""\n',
    )
    expect(await output('ls', '/top/c', '--permissions')).toBe('/top/c = ""  (n0,r7)\n')
    expect(await output('ls')).toMatch(/^\/ = ""\n(.*\n)* top = ""\n {2}a = ""\n/)
    await output('rm', '/top')
    const { code, stderr } = await store('read', '/top')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/read "\/top": no such node.*\[ENOENT\]/)])
  })

  it('watches until it has seen enough, or is interrupted', async () => {
    const child = node(main, 'store', 'watch', '/w', '--count', '2', '--path', daemon.socket)
    child.stdout!.once('data', () =>
      execFile(process.execPath, [main, 'store', 'write', '/w/x', '1', '--path', daemon.socket]),
    )
    expect(await finished(child)).toMatchObject({ code: 0, stdout: '/w\n/w/x\n', stderr: '' })
    const endless = node(main, 'store', 'watch', '/w', '--path', daemon.socket)
    endless.stdout!.once('data', () => endless.kill('SIGINT'))
    expect(await finished(endless)).toMatchObject({ code: 0, signal: null, stdout: '/w\n', stderr: '' })
  })

  it.each([
    [['write', '/a'], 'missing required argument'],
    [['write', '/a b', ''], 'path of xenstore'],
    [['chmod', '/', 'x0'], 'no permission'],
    [['chmod', '/', 'r99999999'], 'out of range'],
    [['read', '/', '--domain', '3'], '--simulated'],
    [['rm', '/'], 'remove every node'],
  ])('%j fails with a sentence', async (args, sentence) => {
    const { code, stderr } = await store(...args)
    expect(code).toBe(1)
    expect(stderr).toContain(sentence)
    expect(stderr).not.toContain('    at ')
  })
})

it('what a domain has written steers no terminal', () => {
  expect(escaped(Buffer.from('a\u001b[2J\u0007\u009b\x7f\0ü~'))).toBe(
    'a\\x1b[2J\\x07\\xc2\\x9b\\x7f\\x00\\xc3\\xbc~',
  )
})

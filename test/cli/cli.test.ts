import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { main } from '../setup/installed.js'
import { finished, node } from '../setup/process.js'

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-cli-'))
const file = join(folder, 'file')
writeFileSync(file, Buffer.alloc(3_000_001, 'some bytes'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('xen-grants demo', () => {
  it('shares a file with a peer process that sees the same SHA-256, sends it over a stream, and leaves nothing', async () => {
    const { code, stdout, stderr } = await finished(node(main, 'demo', '--file', file))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('simulating Xen')
    expect(stdout).toContain('pages       733')
    expect(stdout.match(/identical to the file/g)).toHaveLength(2)
    expect(stdout).toContain('3000001 bytes with SHA-256 at both ends')
    expect(stdout).toMatch(/stream +\d+ MB\/s from memory, a Unix socket \d+ MB\/s/)
    expect(stdout).toContain('Everything has been given back')
  })

  it('fails when a byte is corrupted on the way', async () => {
    const { code, stdout } = await finished(node(main, 'demo', '--file', file, '--corrupt'))
    expect(code).toBe(1)
    expect(stdout).toContain('DIFFERENT')
  })

  it.each([
    [['--file', join(folder, 'none')], 'ENOENT'],
    [['--file', '/dev/null'], 'nothing to share'],
    [['--fil', 'x'], 'Did you mean --file?'],
  ])('%j fails with a sentence', async (args, sentence) => {
    const { code, stderr } = await finished(node(main, 'demo', ...args))
    expect(code).toBe(1)
    expect(stderr).toContain(sentence)
    expect(stderr).not.toContain('    at ')
  })
})

describe('xen-grants share', () => {
  it('fails plainly without a device', async () => {
    const { code, stderr } = await finished(
      node(main, 'share', '--domid', '7', '--file', file, '--device', '/nowhere'),
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/\/nowhere.*\[ENOENT\]/)
  })

  it.each(['seven', '', ' ', '1.5'])('refuses --domid %j before anything else', async (domid) => {
    const { code, stderr } = await finished(
      node(main, 'share', '--domid', domid, '--file', file, '--device', '/nowhere'),
    )
    expect(code).toBe(1)
    expect(stderr).toContain("error: option '--domid <number>' argument")
    expect(stderr).toContain('must be an integer')
  })

  it.each([['SIGINT'], ['SIGTERM']] as const)(
    'prints its references, holds them until %s, gives them back',
    async (signal) => {
      const child = node('test/fixtures/simulated-share.mjs', file)
      const [line] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
      const grant = JSON.parse(line) as { domid: number; pages: number; bytes: number; refs: number[] }
      expect(grant).toMatchObject({ domid: 7, pages: 733, bytes: 3_000_001 })
      expect(grant.refs).toHaveLength(733)
      const end = finished(child)
      child.kill(signal)
      expect(await end).toMatchObject({ code: 0, signal: null, stdout: 'grants left: 0\n', stderr: '' })
    },
  )
})

describe('xen-grants map', () => {
  it('maps what share --json prints, without a Xen: tens of thousands of references fit no argument list', async () => {
    const large = join(folder, 'large')
    writeFileSync(large, Buffer.alloc(25_000 * 4096 + 5, 'many bytes'))
    const sharing = node(main, 'share', '--simulated', '--json', '--domid', '7', '--file', large)
    const mapping = spawn(process.execPath, [
      main,
      'map',
      '--domid',
      '0',
      '--refs',
      '-',
      '--out',
      join(folder, 'seen'),
    ])
    sharing.stdout!.pipe(mapping.stdin)
    const { code, stderr } = await finished(mapping)
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('25001 pages of domain 0 mapped'),
    })
    expect(Buffer.compare(readFileSync(join(folder, 'seen')), readFileSync(large))).toBe(0)
    const end = finished(sharing)
    sharing.kill('SIGTERM')
    expect((await end).code).toBe(0)
  })

  it('maps a plain list in the simulated Xen that it is told, as the domain that it is told', async () => {
    const sharing = node(main, 'share', '--simulated', '--domid', '9', '--file', file)
    const [list] = (await once(sharing.stdout!.setEncoding('utf8'), 'data')) as [string]
    let hint = ''
    sharing.stderr!.setEncoding('utf8').on('data', (text: string) => {
      hint += text
    })
    const path = await expect
      .poll(() => /--simulated (\S+)/.exec(hint)?.[1])
      .toBeDefined()
      .then(() => /--simulated (\S+)/.exec(hint)![1]!)
    const args = ['--simulated', path, '--domid', '0', '--refs', list, '--length', '9']
    expect((await finished(node(main, 'map', ...args))).stderr).toContain('--as')
    expect(await finished(node(main, 'map', ...args, '--as', '9'))).toMatchObject({
      code: 0,
      stdout: 'some byte',
    })
    expect((await finished(node(main, 'map', ...args, '--as', '8'))).stderr).toContain('[EINVAL]')
    const end = finished(sharing)
    sharing.kill('SIGTERM')
    await end
  })

  it.each([
    ['1 2 x', '"x" is no grant reference'],
    ['{"refs": 3}', 'names no refs'],
    ['{', 'neither a list'],
  ])('refuses %j with a sentence', async (text, sentence) => {
    const mapping = spawn(process.execPath, [main, 'map', '--domid', '0', '--refs', '-'])
    mapping.stdin.end(text)
    const { code, stderr } = await finished(mapping)
    expect(code).toBe(1)
    expect(stderr).toContain(sentence)
    expect(stderr).not.toContain('    at ')
  })
})

describe('xen-grants doctor', () => {
  it('tells in plain words and in JSON that this is no Xen', async () => {
    const plain = await finished(node(main, 'doctor'))
    expect(plain.code).toBe(1)
    expect(plain.stdout).toContain('does not run on Xen')
    const json = await finished(node(main, 'doctor', '--json'))
    const { ready, findings } = JSON.parse(json.stdout) as { ready: boolean; findings: { check: string }[] }
    expect(ready).toBe(false)
    expect(findings.map(({ check }) => check)).toEqual(['node', 'platform', 'native code', 'xen'])
  })
})

import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'

const main = 'dist/src/cli/main.js'
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-cli-'))
const file = join(folder, 'file')
writeFileSync(file, Buffer.alloc(3_000_001, 'some bytes'))

describe('xen-grants demo', () => {
  it('shares a file with a peer process that sees the same SHA-256', async () => {
    const { code, stdout, stderr } = await finished(node(main, 'demo', '--file', file))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('simulating Xen')
    expect(stdout).toContain('pages       733')
    expect(stdout).toContain('identical to the file')
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

describe('xen-grants doctor', () => {
  it('tells in plain words and in JSON that this is no Xen', async () => {
    const plain = await finished(node(main, 'doctor'))
    expect(plain.code).toBe(1)
    expect(plain.stdout).toContain('does not run on Xen')
    const json = await finished(node(main, 'doctor', '--json'))
    const { ready, findings } = JSON.parse(json.stdout) as { ready: boolean; findings: { check: string }[] }
    expect(ready).toBe(false)
    expect(findings.map(({ check }) => check)).toEqual(['node', 'platform', 'xen'])
  })
})

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { installed } from '../setup/installed.js'
import { finished, node } from '../setup/process.js'

const { default: noise }: { default(bytes: Uint8Array, context: object): string } = await import(
  new URL('../../examples/checksummed-noise.mjs', import.meta.url).href
)

const programs = readdirSync('examples').filter((name) =>
  readFileSync(`examples/${name}`, 'utf8').includes('SimulatedXen'),
)

/** What some of them have to say. */
const says: Record<string, (lines: string[]) => void> = {
  'http-service.mjs': (lines) =>
    expect(lines).toEqual([
      '200: GET /greeting from domain 5: 0 bytes',
      '200: POST /greeting from domain 5: 500000 bytes',
    ]),
  // Usually, the first question is answered last.
  'json-rpc.mjs': (lines) =>
    expect(lines.sort()).toEqual(['19 + 23 = 42', 'refused: there is no method quit', 'slow says: at last']),
  'file-sender.mjs': (lines) =>
    expect(lines).toEqual([expect.stringMatching(/^\d+ bytes, the same SHA-256$/)]),
  'computed-stream.mjs': (lines) => expect(lines).toEqual([`12 MiB received, SHA-256 ${hashOfNoise(12)}`]),
}

/** As much as shows that it works. */
const less: Record<string, string[]> = { 'exchange.mjs': ['--mebibytes', '2'] }

/** Of what the threads compute, in order. */
function hashOfNoise(rounds: number): string {
  const hash = createHash('sha256')
  const { signal } = new AbortController()
  for (let seed = 0; seed < rounds; seed++) {
    const bytes = new Uint8Array(1 << 20)
    noise(bytes, { args: { seed }, index: 0, signal })
    hash.update(bytes)
  }
  return hash.digest('hex')
}

describe('the examples', () => {
  it.each(programs.filter((name) => name !== 'prometheus.mjs'))('%s runs to its end', async (name) => {
    const { code, stdout, stderr } = await finished(
      node(join(installed, 'examples', name), ...(less[name] ?? [])),
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toBe('')
    says[name]?.(stdout.trimEnd().split('\n'))
  })

  it('prometheus.mjs runs to its end, and shows what it has done', async () => {
    const { code, stdout, stderr } = await finished(node(join(installed, 'examples/prometheus.mjs')))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('xen_grants_pages 16')
    expect(stdout).toContain('xen_grants_stream_bytes_total{domid="7"} 10')
    expect(stdout).toContain('xen_grants_failures_total{operation="share",code="ERR_GRANTS_QUOTA"} 1')
  })

  it('the one in the README is the quick start, word for word', () => {
    const shown = readFileSync('README.md', 'utf8').match(/```js\n([\s\S]*?)```/)?.[1]
    expect(shown).toBe(readFileSync('examples/quick-start.mjs', 'utf8'))
  })
})

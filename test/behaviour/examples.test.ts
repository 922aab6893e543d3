import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { finished, node } from '../setup/process.js'

const programs = readdirSync('examples').filter((name) =>
  readFileSync(`examples/${name}`, 'utf8').includes('SimulatedXen'),
)

describe('the examples', () => {
  it.each(programs.filter((name) => name !== 'prometheus.mjs'))('%s runs to its end', async (name) => {
    const { code, stdout, stderr } = await finished(node(`examples/${name}`))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toBe('')
  })

  it('prometheus.mjs runs to its end, and shows what it has done', async () => {
    const { code, stdout, stderr } = await finished(node('examples/prometheus.mjs'))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('xen_grants_pages 16')
    expect(stdout).toContain('xen_grants_failures_total{operation="share",code="ERR_GRANTS_QUOTA"} 1')
  })

  it('the one in the README is the quick start, word for word', () => {
    const shown = readFileSync('README.md', 'utf8').match(/```js\n([\s\S]*?)```/)?.[1]
    expect(shown).toBe(readFileSync('examples/quick-start.mjs', 'utf8'))
  })
})

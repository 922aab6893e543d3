import { beforeEach, expect, it, vi } from 'vitest'
import type { Finding } from '../../src/diagnosis/checks.js'
import { diagnoseSystem } from '../../src/diagnosis/diagnose.js'
import type { System } from '../../src/diagnosis/system.js'

const { found } = vi.hoisted(() => ({ found: [] as Finding[] }))
vi.mock('../../src/diagnosis/capacity.js', () => ({ checkCapacity: async () => found }))

const system: System = {
  platform: 'linux',
  arch: 'x64',
  startThread: async () => undefined,
  nodeVersion: '22.0.0',
  read: async (path) => (path.includes('free_per') ? { text: '10' } : { text: 'xen' }),
  inspect: async () => ({ exists: true, characterDevice: true, accessible: true }),
}

beforeEach(() => {
  found.length = 0
})

const BESIDE = ['event channels', 'mapping', 'services']
const finding = (status: Finding['status']): Finding => ({ check: status, status, message: '' })

it.each([
  [['ok', 'attention'], true, ['ok', 'attention', 'deferred pages', 'xenstore', ...BESIDE]],
  [['unknown', 'ok'], true, ['unknown', 'ok', 'deferred pages', 'xenstore', ...BESIDE]],
  [['missing', 'ok'], false, ['missing']],
  [['attention', 'missing'], false, ['attention', 'missing']],
] as const)('a machine where %j is found can grant pages: %s', async (statuses, ready, checks) => {
  found.push(...statuses.map(finding))
  const { ready: answer, findings } = await diagnoseSystem(system, '/dev/x')
  expect([answer, findings.slice(5).map(({ check }) => check)]).toEqual([ready, checks])
})

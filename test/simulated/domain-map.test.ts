import { expect, it } from 'vitest'
import { type DomainContext, SimulatedDomain } from '../../src/simulated/domain.js'

it('a domain whose memory cannot be mapped lets go of the pages, and says why', async () => {
  const calls: [string, readonly number[]][] = []
  const request = async (call: string, args: readonly number[]) => {
    calls.push([call, args])
    return { mapping: 5, numbers: Uint32Array.of(1) }
  }
  const memory = { map: () => Promise.reject(new Error('no memory')), closed: false }
  const context = { path: '/x', connection: { request }, memory } as unknown as DomainContext
  await expect(new SimulatedDomain(7, context).map([8], { writable: true })).rejects.toThrow('no memory')
  expect(calls).toEqual([
    ['domain.map', [7, 1]],
    ['domain.unmap', [5]],
  ])
})

import { describe, expect, it, vi } from 'vitest'
import { closeGate, createGate, throughGate } from '../../src/native/gate.js'

describe('the gate around native code', () => {
  it('lets in while open, and passes on what comes out', async () => {
    const gate = createGate()
    expect(await throughGate(gate, () => 7)).toBe(7)
    await expect(throughGate(gate, () => Promise.reject(new Error('inside')))).rejects.toThrow('inside')
    await closeGate(gate)
  })

  it('closes only when those inside are out, and lets none in after that: their thread waits for its end', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    const gate = createGate()
    let leave = (_: string): void => {}
    const events: string[] = []
    const inside = throughGate(gate, () => new Promise<string>((resolve) => (leave = resolve)))
    const closed = closeGate(gate).then(() => events.push('closed'))
    let entered = false
    void throughGate(gate, () => {
      entered = true
    })
    leave('out')
    events.push(await inside)
    await closed
    expect(events).toEqual(['out', 'closed'])
    expect(entered).toBe(false)
    expect(vi.getTimerCount()).toBe(1)
    vi.useRealTimers()
  })
})

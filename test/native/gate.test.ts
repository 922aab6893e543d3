import { Worker } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import { closeGate, createGate, throughGate } from '../../src/native/gate.js'
import { useFakeTimers, useRealTimers } from '../setup/fake-timers.js'

describe('the gate around native code', () => {
  it('lets in while open, and passes on what comes out', async () => {
    const gate = createGate()
    expect(await throughGate(gate, () => 7)).toBe(7)
    await expect(throughGate(gate, () => Promise.reject(new Error('inside')))).rejects.toThrow('inside')
    await closeGate(gate)
  })

  it('closes only when those inside are out, and lets none in after that: their thread waits for its end', async () => {
    useFakeTimers('setInterval')
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
    useRealTimers()
  })
})

describe('the exit of the process', () => {
  /** What the gate does at the exit, without the exit. */
  const exit = (): void => (process.listeners('exit')[0] as () => void)()

  it('comes first of all that is done then, and closes every gate', async () => {
    process.on('exit', expect.unreachable)
    vi.resetModules()
    const fresh = await import('../../src/native/gate.js')
    const gates = [fresh.createGate(), fresh.createGate()]
    process.off('exit', expect.unreachable)
    exit()
    for (const gate of gates) expect(Atomics.load(new Int32Array(gate), 0)).toBe(1)
  })

  it('waits for a thread that is loading', async () => {
    vi.resetModules()
    const fresh = await import('../../src/native/gate.js')
    const gate = fresh.createGate()
    const fields = new Int32Array(gate)
    const thread = new Worker(
      `const fields = new Int32Array(require('node:worker_threads').workerData)
      Atomics.add(fields, 1, 1)
      Atomics.notify(fields, 1)
      // Until the gate is closed: only then is somebody waiting for this.
      while (Atomics.load(fields, 0) === 0) ;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
      Atomics.sub(fields, 1, 1)
      Atomics.notify(fields, 1)`,
      { eval: true, workerData: gate },
    )
    const entered = Atomics.waitAsync(fields, 1, 0)
    const ended = new Promise((resolve) => thread.once('exit', resolve))
    if (entered.async) await entered.value
    exit()
    expect(Atomics.load(fields, 1)).toBe(0)
    await ended
  })

  it('is not held up by a gate that has been closed', async () => {
    vi.resetModules()
    const fresh = await import('../../src/native/gate.js')
    const gate = fresh.createGate()
    await fresh.closeGate(gate)
    new Int32Array(gate)[1] = 1
    const wait = vi.spyOn(Atomics, 'wait')
    exit()
    expect(wait).not.toHaveBeenCalled()
    wait.mockRestore()
  })
})

import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { ownerHasEnded, ownerHere } from '../../dist/src/vchan/owner.js'
import { finished, node } from '../setup/process.js'

const program = fileURLToPath(new URL('../fixtures/owner.mjs', import.meta.url))

describe('the owner of a node', () => {
  it('is this thread, which has not ended', () => {
    expect(ownerHere()).toMatch(/^\d+-\d+ \d+ \d+ \d+$/)
    expect(ownerHere().split(' ')[1]).toBe(readlinkSync('/proc/self'))
    expect(ownerHasEnded(ownerHere())).toBe(false)
  })

  it('is a process, until that has ended', async () => {
    const child = node(program)
    const owner = String((await once(child.stdout!, 'data'))[0])
    expect(ownerHasEnded(owner)).toBe(false)
    const over = finished(child)
    child.kill('SIGKILL')
    await over
    expect(ownerHasEnded(owner)).toBe(true)
  })

  it('is a thread, until that has ended, although its process goes on', async () => {
    const thread = new Worker(program)
    const [owner] = await once(thread, 'message')
    expect(owner).not.toBe(ownerHere())
    expect(ownerHasEnded(owner)).toBe(false)
    await thread.terminate()
    // The kernel notices the end of a thread a moment after its program does.
    while (!ownerHasEnded(owner)) await new Promise((resolve) => setImmediate(resolve))
  })

  it('has ended when another has got its number', () => {
    const [namespaces, pid, thread, started] = ownerHere().split(' ')
    expect(ownerHasEnded([namespaces, pid, thread, Number(started) - 1].join(' '))).toBe(true)
  })

  it.each([
    ['in another pid namespace', ownerHere().replace(/^\d+/, '1')],
    ['in another time namespace', ownerHere().replace(/-\d+/, '-1')],
    ['that could not name itself', ''],
    ['that is nonsense', 'nonsense'],
    ['whose numbers are none of a process', ownerHere().replace(/ \d+ /, ' 0 ')],
    ['that is more than that', `${ownerHere()}\n`],
  ])('%s can never be judged here', (_, owner) => {
    expect(ownerHasEnded(owner)).toBeUndefined()
  })

  it('of a number that no process can have is left alone', () => {
    expect(ownerHasEnded(ownerHere().replace(/ \d+ /, ` ${10 ** 15} `))).toBe(false)
  })
})

// What a filler thread does with a task, in this thread.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { FillControl } from '../../dist/src/fill/control.js'
import type { FillTask, FillWork } from '../../dist/src/fill/fill-messages.js'
import type { TaskGrant } from '../../dist/src/fill/grant-proxy.js'
import { performTask } from '../../dist/src/fill/task.js'

const PAGE = 4096
const ended = { domid: 7, end() {} } as unknown as TaskGrant

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function setUp(work: FillWork, range: Partial<Pick<FillTask, 'from' | 'to'>> = {}) {
  const control = FillControl.create(1)
  const buffer = new SharedArrayBuffer(10 * PAGE)
  const base = { buffer, from: 0, to: 10 * PAGE, sliceBytes: PAGE, control: control.buffer, slot: 0, work }
  let ends = 0
  const grant = { domid: 7, end: () => ends++ } as unknown as TaskGrant
  const perform = () => performTask({ ...base, ...range }, () => grant)
  return { control, bytes: new Uint8Array(buffer), perform, ends: () => ends }
}

/** A module that counts its slices in shared memory, and stops its own run in one of them. */
function counting(stopAt: number, control?: SharedArrayBuffer): FillWork & { kind: 'module' } {
  const count = new SharedArrayBuffer(4)
  const text = `export default (bytes, { index, args, signal }) => {
    new Int32Array(args.count)[0]++
    if (index === args.stopAt) Atomics.store(new Int32Array(args.control), 1, 1)
    return signal.aborted
  }`
  const grant = { id: 1, domid: 7, pages: 10, refs: new Uint32Array(10), deviceThread: 0 }
  const url = `data:text/javascript,${encodeURIComponent(text)}`
  return { kind: 'module', url, args: { count, stopAt, control }, grant }
}

const slicesOf = ({ args }: { args: unknown }): number =>
  new Int32Array((args as { count: SharedArrayBuffer }).count)[0]!

describe('a task that is stopped', () => {
  it('takes no further slice of a module, which sees its signal at once', async () => {
    const work = counting(3)
    const { control, perform, ends } = setUp(work)
    Object.assign(work.args as object, { control: control.buffer })
    const outcome = await perform()
    expect(outcome).toEqual({
      results: [
        [0, false],
        [1, false],
        [2, false],
        [3, true],
      ],
    })
    expect([slicesOf(work), control.doneBytes, ends()]).toEqual([4, 4 * PAGE, 1])
  })

  it('before it has begun touches nothing, and says that it has begun', async () => {
    for (const work of [counting(-1), { kind: 'byte', byte: 3 } as const]) {
      const { control, perform, bytes } = setUp(work)
      control.stop()
      expect(await perform()).toEqual({ results: [] })
      expect(bytes.every((byte) => byte === 0)).toBe(true)
      // Main threads have the number 0, so this one's is not told from a task that has not begun.
      expect(control.takeSlice()).toBe(0)
      if (work.kind === 'module') expect(slicesOf(work)).toBe(0)
    }
  })

  it('tells a module that listens', async () => {
    const text =
      'export default (_, { signal }) => new Promise((resolve) => signal.onabort = () => resolve(7))'
    const work = { ...counting(-1), url: `data:text/javascript,${text}` }
    const { control, perform } = setUp(work)
    const performed = perform()
    await new Promise((resolve) => setTimeout(resolve))
    control.stop()
    expect(await performed).toMatchObject({ results: expect.arrayContaining([[0, 7]]) })
  })

  it('by another between two slices writes no more', async () => {
    const { control, perform, bytes } = setUp({ kind: 'byte', byte: 3 })
    // The third slice is another's, who stops everybody.
    const fields = new Int32Array(control.buffer)
    const add = Atomics.add
    Atomics.add = ((array: Int32Array, index: number, value: number) => {
      const slice = add(array, index, value)
      if (array.buffer === fields.buffer && array.BYTES_PER_ELEMENT === 4 && slice === 2) control.stop()
      return slice
    }) as typeof Atomics.add
    try {
      await perform()
    } finally {
      Atomics.add = add
    }
    expect(bytes[2 * PAGE - 1]).toBe(3)
    expect(bytes.subarray(2 * PAGE).every((byte) => byte === 0)).toBe(true)
  })
})

describe('the signal of a module', () => {
  const module = (text: string): FillWork => ({
    ...counting(-1),
    url: `data:text/javascript,${encodeURIComponent(text)}`,
  })

  it('is not kept when its run has ended without a stop', async () => {
    const left = new Set<WeakRef<AbortSignal>>()
    Object.assign(globalThis, { signalsOfRuns: left })
    const work = module(
      'export default (_, { signal }) => void globalThis.signalsOfRuns.add(new WeakRef(signal))',
    )
    const runs = [1, 2, 3].map(() => setUp(work))
    for (const { perform } of runs) await perform()
    expect(left.size).toBe(30)
    while ([...left].some((one) => one.deref() !== undefined)) {
      await new Promise((resolve) => setTimeout(resolve))
      collect()
    }
  })

  it('fires also when the other threads of its run have ended before', async () => {
    const quick = module('export default () => 1')
    const listening = module(
      'export default (_, { signal }) => new Promise((resolve) => signal.onabort = () => resolve(7))',
    )
    const { control, perform } = setUp(listening)
    const performed = perform()
    await new Promise((resolve) => setTimeout(resolve))
    const other = { control: control.buffer, buffer: new SharedArrayBuffer(PAGE), slot: 0, work: quick }
    await performTask({ ...other, from: 0, to: PAGE, sliceBytes: PAGE }, () => ended)
    await new Promise((resolve) => setTimeout(resolve))
    control.stop()
    expect(await performed).toEqual({ results: [[0, 7]] })
  })
})

describe('a task', () => {
  it('counts what it has done, and fills its part and no other', async () => {
    const { control, perform, bytes } = setUp({ kind: 'byte', byte: 3 }, { from: 100, to: 3 * PAGE + 5 })
    expect(await perform()).toEqual({ results: [] })
    expect(control.doneBytes).toBe(3 * PAGE - 95)
    expect([99, 100, 3 * PAGE + 4, 3 * PAGE + 5].map((at) => bytes[at])).toEqual([0, 3, 3, 0])
  })

  it('that fails stops those of the other threads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'xen-grants-task-'))
    const path = join(folder, 'short')
    writeFileSync(path, Buffer.alloc(2 * PAGE, 5))
    const fd = openSync(path, 'r')
    const { control, perform, bytes } = setUp({ kind: 'file', fd, position: 0 })
    expect(await perform()).toMatchObject({ error: { fields: { code: 'ERR_GRANTS_SHORT_READ' } } })
    expect(control.stopped).toBe(true)
    expect([bytes[2 * PAGE - 1], bytes[2 * PAGE]]).toEqual([5, 0])
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })

  it.each([
    ['throws', 'export default () => { throw new RangeError("broke") }', 'broke'],
    ['is none', 'export const x = 1', 'default export'],
  ])('whose module %s gives back what it holds of the grant', async (_name, text, message) => {
    const work = { ...counting(-1), url: `data:text/javascript,${encodeURIComponent(text)}` }
    const { perform, ends, control } = setUp(work)
    expect(await perform()).toMatchObject({ error: { message: expect.stringContaining(message) } })
    expect([control.stopped, ends()]).toEqual([true, message === 'broke' ? 1 : 0])
  })
})

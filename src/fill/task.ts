import { readSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { GrantError } from '../errors.js'
import { throughGate } from '../memory/native-gate.js'
import { toEnvelope } from '../protocol/envelope.js'
import type { FillOutcome, FillTask, FillWork } from '../protocol/messages.js'
import { FillControl } from './control.js'
import { type Slice, sliceAt, sliceCount } from './slices.js'

type PlainWork = Exclude<FillWork, { kind: 'module' }>

/** Writes one slice of the target. */
type Writer = (target: Uint8Array, slice: Slice) => void

/**
 * What a pooled worker does with a task. Never rejects: a failure is an outcome, so a rejection of the pool's means
 * that the thread itself has died. Views live as long as the task: nothing of the mapping is kept between tasks.
 */
export async function performTask(task: FillTask): Promise<FillOutcome> {
  const control = new FillControl(task.control)
  control.begin(task.slot, threadId)
  if (control.stopped) return { results: [] }
  try {
    if (task.work.kind === 'module') {
      // Not loaded with the thread: it brings in the line to the device worker, which a plain fill does not need.
      const { runModule } = await import('./module.js')
      return { results: await runModule(task, task.work, control) }
    }
    await fillSlices(task, task.work, control)
    return { results: [] }
  } catch (error) {
    control.stop()
    return { error: toEnvelope(error) }
  }
}

async function fillSlices(task: FillTask, work: PlainWork, control: FillControl): Promise<void> {
  const { target, source, detach } = await throughGate(task.gate, async () => {
    const view = await import('../memory/view.js')
    return {
      target: view.viewOf(task.address, task.byteLength),
      source: work.kind === 'memory' ? view.sourceViewOf(work.address, work.length) : undefined,
      detach: view.detach,
    }
  })
  try {
    const write = writer(work, task.from, source)
    const slices = sliceCount(task)
    for (let index = control.takeSlice(); index < slices && !control.stopped; index = control.takeSlice()) {
      const slice = sliceAt(task, index)
      write(target, slice)
      control.addDone(slice.end - slice.start)
    }
  } finally {
    detach(target)
    if (source) detach(source)
  }
}

function writer(work: PlainWork, from: number, memory: Uint8Array | undefined): Writer {
  switch (work.kind) {
    case 'byte':
      return (target, { start, end }) => target.fill(work.byte, start, end)
    case 'memory':
      return (target, { start, end }) => target.set(memory!.subarray(start - from, end - from), start)
    case 'shared': {
      const source = new Uint8Array(work.buffer, work.byteOffset, work.length)
      return (target, { start, end }) => target.set(source.subarray(start - from, end - from), start)
    }
    case 'file':
      return (target, { start, end }) => readFully(work.fd, target, start, end, work.position + start - from)
  }
}

/** Straight into the shared pages: the kernel's copy is the only one. */
function readFully(fd: number, target: Uint8Array, start: number, end: number, position: number): void {
  let at = start
  while (at < end) {
    const count = readSync(fd, target, at, end - at, position + at - start)
    if (count === 0) {
      throw new GrantError(
        'ERR_GRANTS_SHORT_READ',
        `the file ended at byte ${position + at - start}, ${end - at} bytes before the end of what was asked for`,
      )
    }
    at += count
  }
}

import { threadId } from 'node:worker_threads'
import { throughGate } from '../memory/native-gate.js'
import { toEnvelope } from '../protocol/envelope.js'
import type { FillOutcome, FillTask, FillWork } from '../protocol/messages.js'
import { FillControl } from './control.js'
import type { Region } from './region.js'
import { type Slice, sliceAt, sliceCount } from './slices.js'

type PlainWork = Exclude<FillWork, { kind: 'module' }>

/** Writes one slice of the target. */
type Writer = (slice: Slice) => void

/**
 * What a pooled worker does with a task. Never rejects: a failure is an outcome, so a rejection of the pool's means
 * that the thread itself has died. Nothing of the mapping is kept between tasks.
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
  const { Region } = await throughGate(task.gate, () => import('./region.js'))
  const write = writer(work, task.from, new Region(task.address, task.byteLength))
  const slices = sliceCount(task)
  for (let index = control.takeSlice(); index < slices && !control.stopped; index = control.takeSlice()) {
    const slice = sliceAt(task, index)
    write(slice)
    control.addDone(slice.end - slice.start)
  }
}

function writer(work: PlainWork, from: number, target: Region): Writer {
  switch (work.kind) {
    case 'byte':
      return ({ start, end }) => target.set(start, work.byte, end - start)
    case 'memory':
      return ({ start, end }) => target.copy(start, work.address + start - from, end - start)
    case 'file':
      return ({ start, end }) => target.read(start, work.fd, work.position + start - from, end - start)
  }
}

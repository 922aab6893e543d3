import { readSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { copyInto, fillByte } from '../memory/copy-bytes.js'
import { dropped } from '../memory/dropped.js'
import { toEnvelope } from '../threads/envelope.js'
import { FillControl } from './control.js'
import type { FillOutcome, FillTask, FillWork } from './fill-messages.js'
import type { MakeTaskGrant } from './grant-proxy.js'
import { runModule } from './module.js'
import { type Slice, sliceAt, sliceCount } from './slices.js'
import { endedEarly } from './source.js'

type PlainWork = Exclude<FillWork, { kind: 'module' }>

/** Writes one slice of the target. */
type Writer = (slice: Slice) => void

/**
 * What a pooled worker does with a task. Never rejects: a failure is an outcome, so a rejection of the pool's means
 * that the thread itself has died. Nothing of the grant is kept between tasks.
 */
export async function performTask(task: FillTask, taskGrant: MakeTaskGrant): Promise<FillOutcome> {
  const control = new FillControl(task.control)
  control.begin(task.slot, threadId)
  if (control.stopped) return { results: [] }
  try {
    if (task.work.kind === 'module') {
      return { results: await runModule(task, task.work, control, taskGrant(task.work.grant)) }
    }
    fillSlices(task, task.work, control)
    return { results: [] }
  } catch (error) {
    control.stop()
    return { error: toEnvelope(error) }
  } finally {
    dropped(task.buffer.byteLength)
  }
}

function fillSlices(task: FillTask, work: PlainWork, control: FillControl): void {
  const write = writer(work, task.from, new Uint8Array(task.buffer, 0, task.buffer.byteLength))
  const slices = sliceCount(task)
  for (let index = control.takeSlice(); index < slices && !control.stopped; index = control.takeSlice()) {
    const slice = sliceAt(task, index)
    write(slice)
    control.addDone(slice.end - slice.start)
  }
}

function writer(work: PlainWork, from: number, target: Uint8Array): Writer {
  switch (work.kind) {
    case 'byte':
      return ({ start, end }) => fillByte(target.subarray(start, end), work.byte)
    case 'memory':
      return ({ start, end }) => copyInto(target, work.bytes.subarray(start - from, end - from), start)
    case 'file':
      return ({ start, end }) => readSlice(work.fd, target.subarray(start, end), work.position + start - from)
  }
}

/** Straight into the pages: the kernel's copy is the only one. @throws GrantError ERR_GRANTS_SHORT_READ, system errors */
function readSlice(fd: number, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(fd, into, done, into.length - done, position + done)
    if (count === 0) throw endedEarly(position + done, into.length - done)
    done += count
  }
}

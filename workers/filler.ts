import type { FillOutcome, FillTask } from '../src/fill/fill-messages.js'
// A thread that has been started has everything it may need: it could not load it later for want of a descriptor.
import { performTask } from '../src/fill/task.js'
import { fillerGrant } from '../src/grants/filler-grant.js'

export default function work(task: FillTask): Promise<FillOutcome> {
  return performTask(task, fillerGrant)
}

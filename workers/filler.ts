import type { FillOutcome, FillTask } from '../src/fill/fill-messages.js'
import { performTask } from '../src/fill/task.js'

export default function work(task: FillTask): Promise<FillOutcome> {
  return performTask(task, async () => (await import('../src/grants/filler-grant.js')).fillerGrant)
}

import type { Counters } from './counters.js'
import type { Nothing } from './replies.js'

/** What concerns the machine as a whole. */
export interface XenProtocol {
  /** Which process this session is. One that has not said so has nothing mapped, as far as the host knows. */
  'xen.hello': { args: [pid: number]; result: Nothing }
  'xen.counters': { args: []; result: Counters }
  'xen.tick': { args: []; result: { freed: number } }
  /** @param call position in `faultableCalls` */
  'xen.failNext': { args: [call: number, errno: number]; result: Nothing }
}

import { checkBoolean, checkInteger, checkOptions, checkSignal } from '../arguments.js'
import { gntalloc } from '../drivers/catalogue.js'
import type { DeviceDescriptor } from '../drivers/descriptor.js'
import { deviceDescriptor } from '../drivers/gntalloc/grant-device.js'
import { resolveDevice } from '../drivers/resolve-device.js'
import type { FillerOptions } from '../fill/filler-options.js'
import { checkFillers } from '../fill/filler-options.js'
import type { BudgetOptions } from './grant-messages.js'

/** Stands for a device that is not a path, such as a SimulatedXen. */
export interface DeviceStandIn {
  readonly [deviceDescriptor]: DeviceDescriptor
}

/** How a grant device is opened, and how much may be granted through it. */
export interface ServerOptions {
  /** Path of the device, or a SimulatedXen. Default '/dev/xen/gntalloc'. */
  device?: string | DeviceStandIn | undefined
  /** Pages this server may have granted at a time. Default: the driver's limit. */
  maxPages?: number | undefined
  /** The same for each domain. Default: none. */
  maxPagesPerDomain?: number | undefined
  /** Requests of one thread that may be unanswered before its share() rejects with ERR_GRANTS_BUSY. Default 65536. */
  maxQueue?: number | undefined
  /**
   * Grant table entries this server leaves to others: the domain's PV disks and network take theirs from the same
   * table, and fail when it is full. Default: a sixteenth of the table, 2048 of the 32768 that Xen gives by default.
   */
  headroom?: number | undefined
  /** Start a new device worker when it dies, and serve on. Default true; otherwise the server closes. */
  restart?: boolean | undefined
  /** The filler threads of this thread's grants; they start when first needed. */
  fillers?: FillerOptions | undefined
  /** Zero pages before they are given back: a peer that still maps them keeps seeing them. Default true. */
  scrub?: boolean | undefined
  /** Aborts the opening; once open it has no effect. */
  signal?: AbortSignal | undefined
}

export interface CheckedServerOptions {
  descriptor: DeviceDescriptor
  budget: BudgetOptions
  fillers: FillerOptions
  scrub: boolean
  restart: boolean
  signal: AbortSignal | undefined
}

export function checkServerOptions(options: unknown): CheckedServerOptions {
  const checked = checkOptions<ServerOptions>('options', options, [
    'device',
    'maxPages',
    'maxPagesPerDomain',
    'maxQueue',
    'headroom',
    'restart',
    'fillers',
    'scrub',
    'signal',
  ])
  const { device, maxPages, maxPagesPerDomain, maxQueue = 65_536, headroom } = checked
  const { scrub = true, restart = true } = checked
  if (maxPages !== undefined) checkInteger('options.maxPages', maxPages, 1)
  if (maxPagesPerDomain !== undefined) checkInteger('options.maxPagesPerDomain', maxPagesPerDomain, 1)
  checkInteger('options.maxQueue', maxQueue, 1)
  if (headroom !== undefined) checkInteger('options.headroom', headroom, 0)
  checkBoolean('options.restart', restart)
  checkBoolean('options.scrub', scrub)
  checkSignal('options.signal', checked.signal)
  return {
    descriptor: resolveDevice(device, gntalloc),
    budget: { maxPages, maxPagesPerDomain, maxQueue, headroom },
    fillers: checkFillers(checked.fillers),
    scrub,
    restart,
    signal: checked.signal,
  }
}

import type { DomainState } from './domain-state.js'
import { type ChannelDirectory, EventChannels } from './event-channels.js'
import type { EventFiles } from './event-files.js'
import { EvtchnDriver } from './evtchn.js'
import type { FramePool, PageMemory } from './frames.js'
import { GntallocDriver, type GntallocOptions } from './gntalloc.js'
import { GntdevDriver } from './gntdev.js'
import { GrantTable, type TableDirectory } from './grant-table.js'

export interface DomainOptions extends GntallocOptions {
  /** Entries of each domain's grant table; the first 8 are reserved. */
  tableCapacity: number
  /** See {@link GntdevDriver}. */
  paravirtualised: boolean
}

/** What all domains of one machine have in common. */
export interface Hardware {
  readonly memory: PageMemory
  readonly frames: FramePool
  readonly events: EventFiles
}

/** One domain: what Xen keeps for it, and the drivers of its kernel. */
export class Domain implements DomainState {
  readonly domid: number
  readonly table: GrantTable
  readonly channels: EventChannels
  readonly gntalloc: GntallocDriver
  readonly gntdev: GntdevDriver
  readonly evtchn: EvtchnDriver
  #running = true

  constructor(
    domid: number,
    { memory, frames, events }: Hardware,
    others: TableDirectory & ChannelDirectory,
    options: DomainOptions,
  ) {
    this.domid = domid
    this.table = new GrantTable(options.tableCapacity, frames)
    this.channels = new EventChannels(domid)
    this.evtchn = new EvtchnDriver(this.channels, others, events)
    this.gntalloc = new GntallocDriver(this, this.table, this.channels, { memory, frames }, options)
    this.gntdev = new GntdevDriver(this, others, this.channels, memory, options.paravirtualised)
  }

  get running(): boolean {
    return this.#running
  }

  /** Whether Xen still knows it although it has been destroyed: it does until the last of its pages is unmapped. */
  get lingers(): boolean {
    return !this.#running && this.table.used > 0
  }

  /** From now on it has no programs that could be told anything. They are ended between this and `remove`. */
  stop(): void {
    this.#running = false
  }

  /** What others still map of it stays until they unmap; its channels are gone. */
  remove(): void {
    this.table.abandon()
    this.channels.closeAll()
  }
}

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { PAGE_SIZE } from '../../abi.js'
import { createPageBuffer, mapOver, mapZeroPages } from '../../drivers/page-buffer.js'
import { MAP_SHARED, PROT_READ, PROT_WRITE } from '../../native/libc.js'
import { EventTable, tableWords } from '../wire/event-table.js'
import { files } from '../wire/protocol.js'

export interface MappedTable {
  readonly table: EventTable
  /** From then on it is a table of its own, in which nothing is bound. */
  unmap(): void
}

const BYTES = tableWords() * Int32Array.BYTES_PER_ELEMENT

/**
 * Maps the ports of a simulated Xen. Only what the host has reserved may be touched.
 * @param path the directory of the simulated Xen
 * @throws GrantError ENOMEM, and errors of opening the file
 */
export function mapEventTable(path: string): MappedTable {
  const fd = openSync(join(path, files.events), 'r+')
  try {
    const pages = createPageBuffer(BYTES / PAGE_SIZE)
    const what = 'mapping the event channels of the simulated Xen'
    mapOver(pages, { length: BYTES, prot: PROT_READ | PROT_WRITE, flags: MAP_SHARED, fd, what })
    const table = new EventTable(new Int32Array(pages.buffer, 0, tableWords()))
    return { table, unmap: () => mapZeroPages(pages.address, BYTES) }
  } finally {
    closeSync(fd)
  }
}

import { createWriteStream } from 'node:fs'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import { GrantMapper, type MapperOptions } from '../index.js'
import { SimulatedXen } from '../simulated/index.js'
import { type Granted, parseReferences, readGranted } from './references.js'

export interface MapCommand {
  domid: number
  /** '-': from standard input. */
  refs: string
  length?: number
  out?: string
  device: NonNullable<MapperOptions['device']>
  /** Directory of a simulated Xen to map in. */
  simulated?: string
  /** In that: the domain that maps. */
  as?: number
}

/** Writes what another domain has granted to a file or to standard output. */
export async function map({ domid, refs: list, length, out, device, ...where }: MapCommand): Promise<void> {
  const granted: Granted = list === '-' ? await readGranted(process.stdin) : { refs: parseReferences(list) }
  const path = where.simulated ?? granted.simulated
  await using xen = path === undefined ? undefined : await SimulatedXen.attach(path)
  const self = where.as ?? granted.domid
  if (xen && self === undefined)
    throw new Error('say as which domain of the simulated Xen to map: --as <number>')
  await using mapper = await GrantMapper.open({ device: xen ? xen.domain(self!) : device })
  const { refs } = granted
  await using mapped = await mapper.map({ domid, refs })
  const end = length ?? granted.bytes ?? mapped.byteLength
  const target = out === undefined ? process.stdout : createWriteStream(out)
  await pipeline(mapped.createReadStream({ end }), target, { end: out !== undefined })
  if (out !== undefined)
    process.stderr.write(`${refs.length} pages of domain ${domid} mapped, ${end} bytes written to ${out}\n`)
}

import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { GrantMapper, type MapperOptions } from '../index.js'

export interface MapCommand {
  domid: number
  refs: number[]
  length?: number
  out?: string
  device: NonNullable<MapperOptions['device']>
}

/** Writes what another domain has granted to a file or to standard output. */
export async function map({ domid, refs, length, out, device }: MapCommand): Promise<void> {
  await using mapper = await GrantMapper.open({ device })
  await using mapped = await mapper.map({ domid, refs })
  const end = length ?? mapped.byteLength
  const target = out === undefined ? process.stdout : createWriteStream(out)
  await pipeline(mapped.createReadStream({ end }), target, { end: out !== undefined })
  if (out !== undefined)
    process.stderr.write(`${refs.length} pages of domain ${domid} mapped, ${end} bytes written to ${out}\n`)
}

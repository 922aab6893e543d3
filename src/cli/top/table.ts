import type { Rates } from './rates.js'
import type { Seen, SeenServer } from './received.js'

/** Domains with the most pages that are named. */
const DOMAINS = 8

/** A snapshot as lines of text: what fits is for whoever prints it. @param rates undefined: not known yet */
export function table(seen: Seen, rates: Rates | undefined): string[] {
  return [
    `${seen.name} (process ${seen.pid})`,
    ...seen.servers.flatMap((server, i) => ['', ...serverLines(server, i)]),
    '',
    `rates     ${perSecond(rates?.operations)} operations, ${perSecond(rates?.shares)} shares, ${perSecond(rates?.fills)} fills, ${bytesPerSecond(rates?.bytesFilled)} filled`,
    `errors    ${seen.errors}`,
    '',
    ...streamLines(seen, rates),
  ]
}

function serverLines(server: SeenServer, index: number): string[] {
  const name = `server ${index + 1}`.padEnd(10)
  if (server.error !== undefined) return [`${name}${server.error}`]
  const { grants, pages, maxPages, queued, waiting, deferred, shares } = server
  const limit = maxPages === undefined ? '' : ` of ${maxPages}`
  const oldest =
    deferred.pages > 0
      ? `, the oldest for ${(deferred.oldest / 1000).toFixed(0)} s, ${deferred.draining} draining`
      : ''
  return [
    `${name}${grants} grants, ${pages}${limit} pages, ${queued} requests queued, ${waiting} waiting`,
    `deferred  ${deferred.pages} pages${oldest}`,
    `share()   ${shares.count} in all, half within ${shares.p50.toFixed(2)} ms, 99 % within ${shares.p99.toFixed(2)} ms`,
    `domains   ${domainsOf(server)}`,
  ]
}

function domainsOf({ domains }: SeenServer): string {
  const most = [...domains].sort(([, a], [, b]) => b - a)
  const named = most.slice(0, DOMAINS).map(([domid, pages]) => `${domid}: ${pages}`)
  const rest = most.length - named.length
  return named.length === 0
    ? 'none has pages'
    : `${named.join('  ')} pages${rest > 0 ? `, and ${rest} more domains` : ''}`
}

function streamLines({ streams, streamsOpen, streamsTotal }: Seen, rates: Rates | undefined): string[] {
  const heading = `streams   ${streamsOpen} open, ${streamsTotal} in all`
  if (streams.length === 0) return [heading]
  const rows = streams.map(({ domid, path, bytesRead, bytesWritten, stalls }, i) => [
    String(domid),
    bytesPerSecond(rates?.streams[i]?.read),
    bytesPerSecond(rates?.streams[i]?.written),
    bytes(bytesRead),
    bytes(bytesWritten),
    String(stalls),
    path,
  ])
  return [heading, ...aligned([['domain', 'in', 'out', 'read', 'written', 'stalls', 'path'], ...rows])]
}

/** Columns of numbers, ended by one of text. */
function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padStart(widths[column]!))).join('  '),
  )
}

function perSecond(rate: number | undefined): string {
  return rate === undefined ? '-' : `${rate >= 100 ? rate.toFixed(0) : rate.toFixed(1)}/s`
}

function bytesPerSecond(rate: number | undefined): string {
  return rate === undefined ? '-' : `${bytes(rate)}/s`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

function bytes(count: number): string {
  let [value, unit] = [count, 0]
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`
}

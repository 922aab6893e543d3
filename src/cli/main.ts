#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { URL } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { evtchn, gntalloc, gntdev } from '../drivers/catalogue.js'
import { demo } from './demo.js'
import { doctor } from './doctor.js'
import { map } from './map.js'
import { notify } from './notify.js'
import { share } from './share.js'
import { storeCommand } from './store.js'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

function integer(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value)) throw new InvalidArgumentError('must be an integer.')
  return value
}

const program = new Command('xen-grants')
  .description('Share memory between Xen domains')
  .version(version)
  .showHelpAfterError('(--help tells the options)')

program
  .command('demo')
  .description('share a file with a peer, have the peer check every byte, give everything back')
  .option('--file <path>', 'file to share', process.execPath)
  .option('--domid <number>', 'on Xen: the domain the peer runs in, which must be this one', integer, 0)
  .option('--device <path>', 'grant device', gntalloc.path)
  .option('--threads <number>', 'filler threads', integer)
  .option('--corrupt', 'change one byte on the way, to see the check fail')
  .action(demo)

program
  .command('share')
  .description('share a file with a domain until interrupted')
  .requiredOption('--domid <number>', 'domain that may map the pages', integer)
  .requiredOption('--file <path>', 'file to share')
  .option('--writable', 'let that domain write')
  .option('--json', 'print the grant as JSON')
  .option('--device <path>', 'grant device', gntalloc.path)
  .option('--simulated [path]', 'share in a simulated Xen instead: a new one, or that of a directory')
  .action(share)

program
  .command('map')
  .description('write what another domain has granted to a file or to standard output')
  .requiredOption('--domid <number>', 'domain that granted the pages', integer)
  .requiredOption(
    '--refs <list>',
    'references, separated by commas or spaces; - reads what share has printed',
  )
  .option('--length <bytes>', 'stop after so many bytes', integer)
  .option('--out <path>', 'file to write')
  .option('--device <path>', 'mapping device', gntdev.path)
  .option('--simulated <path>', 'map in the simulated Xen of this directory')
  .option('--as <number>', 'in a simulated Xen: the domain that maps', integer)
  .action(map)

program
  .command('notify')
  .description('send an event to another domain, or wait for its events')
  .requiredOption('--domid <number>', 'the other domain', integer)
  .option(
    '--port <number>',
    'its port: bind to it and notify. Without: bind a port, print it, print every event',
    integer,
  )
  .option('--count <number>', 'end after so many events', integer)
  .option('--device <path>', 'event channel device', evtchn.path)
  .action(notify)

program.addCommand(storeCommand())

program
  .command('doctor')
  .description('tell what keeps this machine from granting pages, and what to type')
  .option('--json', 'print the findings as JSON')
  .option('--device <path>', 'grant device', gntalloc.path)
  .action(doctor)

// Whoever reads has read enough: `… | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

try {
  await program.parseAsync()
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  process.stderr.write(`xen-grants: ${message}${code ? ` [${code}]` : ''}\n`)
  process.exitCode = 1
}

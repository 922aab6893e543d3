#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { URL } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { MAX_TIMER } from '../arguments.js'
import { evtchn, gntalloc, gntdev } from '../drivers/catalogue.js'
import { Interrupted } from './interrupt.js'
import { serviceAddress } from './service-address.js'
import { endWithReader } from './standard-output.js'
import { storeCommand } from './store.js'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

function integer(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value)) throw new InvalidArgumentError('must be an integer.')
  return value
}

/** A command whose modules are loaded when it runs: the others need not wait for them. */
function loaded<A extends unknown[]>(load: () => Promise<(...given: A) => Promise<void>>) {
  return async (...given: A): Promise<void> => (await load())(...given)
}

function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value * 1000 <= MAX_TIMER))
    throw new InvalidArgumentError('must be a number of seconds.')
  return value
}

/** Of something that has no time to happen at once. */
function someSeconds(text: string): number {
  const value = seconds(text)
  if (value === 0) throw new InvalidArgumentError('must be more than 0 seconds.')
  return value
}

const QUIT_AFTER =
  'close when the input has ended and nothing has come for so long; default: wait until the other end closes'

const program = new Command('xen-grants')
  .description('Share memory between Xen domains')
  .version(version)
  .showHelpAfterError('(--help tells the options)')

program
  .command('demo')
  .description(
    'share a file with a peer that checks every byte, serve it over a stream, give everything back',
  )
  .option('--file <path>', 'file to share', process.execPath)
  .option('--domid <number>', 'on Xen: the domain the peer runs in, which must be this one', integer, 0)
  .option('--device <path>', 'grant device', gntalloc.path)
  .option('--threads <number>', 'filler threads', integer)
  .option('--corrupt', 'change one byte on the way, to see the check fail')
  .action(loaded(async () => (await import('./demo.js')).demo))

program
  .command('share')
  .description('share a file with a domain until interrupted')
  .requiredOption('--domid <number>', 'domain that may map the pages', integer)
  .requiredOption('--file <path>', 'file to share')
  .option('--writable', 'let that domain write')
  .option('--json', 'print the grant as JSON')
  .option('--device <path>', 'grant device', gntalloc.path)
  .option('--simulated [path]', 'share in a simulated Xen instead: a new one, or that of a directory')
  .action(loaded(async () => (await import('./share.js')).share))

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
  .action(loaded(async () => (await import('./map.js')).map))

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
  .action(loaded(async () => (await import('./notify.js')).notify))

placed(program.command('send'))
  .description('offer a file to one receiver in another domain, and end when that has it')
  .argument('<file>', 'file to send; - is standard input')
  .requiredOption('--to <domain[:name]>', 'the domain, and the name of the service (file)', serviceAddress)
  .option('--window <bytes>', 'shared memory for each direction', integer, 1 << 20)
  .option('--no-hash', 'do not compare SHA-256')
  .option(
    '--timeout <seconds>',
    'give up when no receiver comes, or the one that has come takes nothing, for so long; default: wait',
    someSeconds,
  )
  .action(loaded(async () => (await import('./send.js')).send))

placed(program.command('receive'))
  .description('take a file that another domain offers with send')
  .requiredOption('--from <domain[:name]>', 'the domain, and the name of the service (file)', serviceAddress)
  .requiredOption('--out <path>', 'file to write; - is standard output')
  .option('--force', 'replace the file if there is one')
  .option('--timeout <seconds>', 'how long to wait for the sender; 0 looks once', seconds, 60)
  .option('--max-bytes <number>', 'refuse a file that has more', integer)
  .action(loaded(async () => (await import('./receive.js')).receive))

placed(program.command('listen'))
  .description('serve a program of another domain with standard input and output, as netcat does')
  .argument('<name>', 'name of the service')
  .requiredOption('--domid <number>', 'the domain whose programs may connect', integer)
  .option('--exec <command>', 'a command of the shell that gets each connection as its input and output')
  .option('--keep', 'go on after the first connection: with --exec many at once, without one after the other')
  .option('--quit-after <seconds>', QUIT_AFTER, seconds)
  .option('--window <bytes>', 'shared memory for each direction', integer, 64 << 10)
  .action(loaded(async () => (await import('./listen.js')).listenCommand))

placed(program.command('connect'))
  .description('connect standard input and output with a service of another domain, as netcat does')
  .argument('<domain:name>', 'the domain, and the name of the service', serviceAddress)
  .option('--timeout <seconds>', 'how long to wait for the service; 0 looks once', seconds, 60)
  .option('--quit-after <seconds>', QUIT_AFTER, seconds)
  .action(loaded(async () => (await import('./connect.js')).connectCommand))

program.addCommand(storeCommand())

program
  .command('doctor')
  .description('tell what keeps this machine from granting pages, and what to type')
  .option('--json', 'print the findings as JSON')
  .option('--device <path>', 'grant device', gntalloc.path)
  .action(loaded(async () => (await import('./doctor.js')).doctor))

program
  .command('top')
  .description('show what a process grants, fills and streams; it has to have opened a Monitor')
  .argument('[pid]', 'which process; default: the only one of this user', integer)
  .option('--socket <path>', 'the socket of its Monitor, if it is not where they usually are')
  .option('--json', 'print a snapshot as JSON')
  .option('--interval <seconds>', 'between two snapshots', seconds, 1)
  .option('--count <number>', 'end after so many; default: one, and on a terminal no end', integer)
  .action(loaded(async () => (await import('./top/top.js')).top))

/** What the commands on streams have in common. */
function placed(command: Command): Command {
  return command
    .option('--simulated <directory>', 'in the simulated Xen of this directory, which send and listen make')
    .option('--as <number>', 'in a simulated Xen: the domain of this end', integer)
}

endWithReader()

try {
  await program.parseAsync()
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException
  process.stderr.write(`xen-grants: ${message}${code ? ` [${code}]` : ''}\n`)
  process.exitCode = error instanceof Interrupted ? error.exitCode : 1
}

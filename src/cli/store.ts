import { once } from 'node:events'
import process from 'node:process'
import { Command, InvalidArgumentError } from 'commander'
import type { StoreAccess, StorePermission, StoreStandIn, XenStore } from '../xenstore.js'
import { escaped } from './escaped.js'

interface Place {
  path?: string
  simulated?: string
  domain?: number
}

/** What works on a node, after the store has been opened. */
type Work<O> = (store: XenStore, args: string[], options: O) => Promise<void>

const accesses: Record<string, StoreAccess> = { n: 'none', r: 'read', w: 'write', b: 'both' }

/** `xen-grants store`: what the tools of xenstore do, also on a simulated Xen. */
export function storeCommand(): Command {
  const store = new Command('store').description('read and change the xenstore')
  add(store, 'ls [path]', 'print a node and all below it', ls).option(
    '--permissions',
    'print permissions as well',
  )
  add(store, 'read <path>', 'print the value of a node', read).option(
    '--raw',
    'its bytes as they are, without a newline',
  )
  add(store, 'write <path> <value>', 'set the value of a node', (to, [path, value]) =>
    to.write(path!, value!),
  )
  add(store, 'rm <path>', 'remove a node and all below it', (from, [path]) => from.remove(path!))
  add(store, 'watch <path>', 'print the path of what changes, first the watched one', watch).option(
    '--count <number>',
    'end after so many',
    natural,
  )
  add(store, 'chmod <path> <permissions...>', 'set permissions: n0 r7, the owner first', chmod)
  return store
}

function add<O>(parent: Command, usage: string, description: string, work: Work<O>): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--path <path>', "xenstored's socket, or a device; default as the tools of Xen")
    .option('--simulated <directory>', 'the path of a simulated Xen')
    .option('--domain <number>', 'act as this domain of the simulated Xen', natural)
    .action(async (...given: unknown[]) => {
      const [options] = given.slice(-2) as [Place & O]
      const args = given.slice(0, -2).flat() as string[]
      await opened(options, (store) => work(store, args, options))
    })
}

async function opened(
  { path, simulated, domain }: Place,
  work: (store: XenStore) => Promise<void>,
): Promise<void> {
  if (domain !== undefined && simulated === undefined)
    throw new Error('--domain names a domain of a simulated Xen: --simulated tells which')
  // Only now: `--help` and other commands need neither.
  const { XenStore } = await import('../xenstore.js')
  if (simulated === undefined) {
    await using store = await XenStore.open(path === undefined ? {} : { path })
    await work(store)
    return
  }
  const { SimulatedXen } = await import('../simulated/index.js')
  const xen = await SimulatedXen.attach(simulated)
  try {
    const place: unknown = domain === undefined ? xen : xen.domain(domain)
    await using store = await XenStore.open({ path: place as StoreStandIn })
    await work(store)
  } finally {
    await xen.close()
  }
}

async function ls(
  store: XenStore,
  [top = '/']: string[],
  { permissions }: { permissions?: boolean },
): Promise<void> {
  for await (const path of store.walk(top)) {
    const value = await store.tryRead(path)
    // Removed meanwhile.
    if (value === undefined) continue
    const below = top === '/' ? path.slice(1) : path.slice(top.length + 1)
    const depth = below === '' ? 0 : below.split('/').length
    const name = depth === 0 ? path : path.slice(path.lastIndexOf('/') + 1)
    const rights = permissions ? `  (${(await store.permissions(path)).map(letters).join(',')})` : ''
    process.stdout.write(`${' '.repeat(depth)}${name} = "${escaped(value)}"${rights}\n`)
  }
}

async function read(store: XenStore, [path]: string[], { raw }: { raw?: boolean }): Promise<void> {
  const value = await store.read(path!)
  process.stdout.write(raw ? value : `${escaped(value)}\n`)
}

async function watch(
  store: XenStore,
  [path]: string[],
  { count = Infinity }: { count?: number },
): Promise<void> {
  const interrupted = new AbortController()
  const { signal } = interrupted
  void Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => interrupted.abort())
  let seen = 0
  try {
    for await (const change of store.watch(path!, { signal })) {
      process.stdout.write(`${change.path}\n`)
      if (++seen >= count) return
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function chmod(store: XenStore, [path, ...texts]: string[]): Promise<void> {
  await store.setPermissions(path!, texts.map(permission))
}

function permission(text: string): StorePermission {
  const access = accesses[text.charAt(0)]
  if (access === undefined || !/^[nrwb][0-9]+$/.test(text))
    throw new Error(
      `${text} is no permission: one of the letters n r w b (none, read, write, both) and a domid`,
    )
  return { domid: Number(text.slice(1)), access }
}

function letters({ domid, access }: StorePermission): string {
  return `${access.charAt(0)}${domid}`
}

function natural(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('must be a number.')
  return Number(text)
}

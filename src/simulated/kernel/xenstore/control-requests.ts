import type { Buffer } from 'node:buffer'
import { countStrings, joinStrings, looseInteger, stringsOf } from './payload.js'
import { Refusal } from './refusal.js'
import { OK, type StoreHandler, type StoreRequest } from './store-request.js'
import type { Quotas } from './store-rules.js'

/** The quotas as `CONTROL quota` names and explains them. */
const QUOTAS: readonly [name: string, quota: keyof Quotas, meaning: string][] = [
  ['nodes', 'nodes', 'Nodes per domain'],
  ['watches', 'watches', 'Watches per domain'],
  ['transactions', 'transactions', 'Transactions per domain'],
  ['outstanding', 'outstanding', 'Outstanding requests per domain'],
  ['transaction-nodes', 'transactionNodes', 'Max. number of accessed nodes per transaction'],
  ['memory', 'memory', 'Total Xenstore memory per domain (error level)'],
  ['node-size', 'nodeSize', 'Max. size of a node'],
  ['path-max', 'pathLength', 'Max. length of a node path'],
  ['permissions', 'permissions', 'Max. number of permissions per node'],
]

type Command = (request: StoreRequest, parameters: readonly string[]) => Buffer

/** What there is, and how many parameters each takes. Logs and memory reports go nowhere. */
const COMMANDS: Record<string, { parameters: string; run: Command }> = {
  check: { parameters: '', run: (_request, parameters) => done(parameters.length === 0) },
  log: {
    parameters: 'on|off',
    run: (_request, [state, ...more]) => done(more.length === 0 && (state === 'on' || state === 'off')),
  },
  logfile: { parameters: '<file>', run: (_request, parameters) => done(parameters.length === 1) },
  memreport: { parameters: '[<file>]', run: (_request, parameters) => done(parameters.length <= 1) },
  print: { parameters: '<string>', run: (_request, parameters) => done(parameters.length === 1) },
  quota: { parameters: '[set <name> <val>|<domid>]', run: quota },
  help: { parameters: '', run: (_request, parameters) => help(parameters) },
}

/** For the administrator; the text is for people. */
export const control: StoreHandler = (request) => {
  if (request.rules.flavour === 'c' && !request.connection.privileged) throw new Refusal('EACCES')
  if (countStrings(request.payload) === 0) throw new Refusal('EINVAL')
  const [name, ...parameters] = stringsOf(request.payload) as [string, ...string[]]
  if (request.rules.flavour === 'ocaml') return controlOcaml(request, name, parameters)
  if (!Object.hasOwn(COMMANDS, name)) throw new Refusal('EINVAL')
  return COMMANDS[name]!.run(request, parameters)
}

/** oxenstored knows other commands, and answers OK to those it does not know. */
function controlOcaml(
  { store, rules, connection }: StoreRequest,
  name: string,
  [domid]: readonly string[],
): Buffer {
  if (!connection.privileged || name !== 'quota' || domid === undefined || !/^\d+$/.test(domid)) return OK
  const owned = store.owned(Number(domid))
  return joinStrings([`dom${domid} quota: ${owned > 0 ? `${owned}/${rules.quotas.nodes}` : 'not set'}`])
}

function quota(request: StoreRequest, [what, ...more]: readonly string[]): Buffer {
  const { rules, store } = request
  if (what === undefined) {
    const lines = QUOTAS.map(
      ([name, key, meaning]) => `${name.padEnd(17)}: ${`${rules.quotas[key]}`.padStart(8)} ${meaning}\n`,
    )
    return joinStrings([`Quota settings:\n${lines.join('')}`])
  }
  if (what === 'set') return setQuota(request, more)
  if (more.length > 0) throw new Refusal('EINVAL')
  const domain = store.domains.find(looseInteger(what))
  if (domain === undefined) throw new Refusal('ENOENT')
  const { nodes, watches, transactions } = domain
  const lines = Object.entries({ nodes, watches, transactions, outstanding: 0, memory: 0 }).map(
    ([name, used]) => `${name.padEnd(16)}: ${`${used}`.padStart(8)}\n`,
  )
  return joinStrings([`Domain ${domain.domid}:\n${lines.join('')}`])
}

function setQuota({ rules }: StoreRequest, [name, value, ...more]: readonly string[]): Buffer {
  const number = looseInteger(value ?? '0') | 0
  const found = QUOTAS.find(([known]) => known === name)
  if (found === undefined || more.length > 0 || number < 1) throw new Refusal('EINVAL')
  rules.quotas[found[1]] = number
  return OK
}

function help(parameters: readonly string[]): Buffer {
  if (parameters.length > 0) throw new Refusal('EINVAL')
  return joinStrings([
    Object.entries(COMMANDS)
      .map(([name, command]) => `${name}\t${command.parameters}\n`)
      .join(''),
  ])
}

function done(right: boolean): Buffer {
  if (!right) throw new Refusal('EINVAL')
  return OK
}

import { MessageType } from '../../dist/src/drivers/xenbus/wire.js'
import { pick } from './operands.mjs'
import { domidText, pathOf, permissionsOf, spoilt, valueText } from './xenstore-operands.mjs'

/** How often each is drawn. */
export const STORE = {
  read: 8,
  write: 16,
  makeDirectory: 5,
  remove: 6,
  list: 5,
  listPart: 3,
  getPermissions: 5,
  setPermissions: 8,
  watch: 8,
  unwatch: 3,
  start: 5,
  end: 7,
  introduce: 2,
  release: 1,
  isIntroduced: 1,
  resume: 1,
  target: 1,
  domainPath: 1,
  resetWatches: 1,
  any: 2,
  reconnect: 1,
  destroy: 1,
  shutDown: 1,
  create: 2,
}

/** What can be compared of oxenstored: it is dependable only on its socket, so there are no guests. */
export const OXSTORE = Object.fromEntries(
  Object.entries(STORE).filter(
    ([op]) =>
      !/^(listPart|introduce|release|resume|target|destroy|shutDown|create|isIntroduced|domainPath)$/.test(
        op,
      ),
  ),
)

/** So small that random requests come across them. */
const QUOTAS = {
  nodes: 6,
  watches: 3,
  transactions: 1,
  'transaction-nodes': 12,
  'node-size': 100,
  'path-max': 60,
  permissions: 3,
}

/** Requests with a path and nothing else. */
const ONE_PATH = new Set([
  MessageType.directory,
  MessageType.read,
  MessageType.getPerms,
  MessageType.mkdir,
  MessageType.rm,
])

const typeNames = Object.fromEntries(Object.entries(MessageType).map(([name, type]) => [type, name]))
const TOKENS = ['t', 'token', '', 'é']

/** Does to two xenstoreds what the steps say. */
export class StoreInterpreter {
  #both
  #worlds
  /** The connections: whose they are, and one for each world. */
  #clients = []
  /** Domains that the hypervisor knows, those introduced, and those of which it was told that they have shut down. */
  #existing = new Set()
  #introduced = new Set()
  #shut = new Set()
  /** Holders of a target, and the targets: how those end differs in ways nobody could want. */
  #targets = new Map()
  #flavour

  /** @param {'c' | 'ocaml'} flavour whose rules both follow. With those of oxenstored there are only programs. */
  constructor(both, worlds, flavour = 'c') {
    this.#both = both
    this.#worlds = worlds
    this.#flavour = flavour
  }

  async begin() {
    await this.#connect(undefined)
    await this.#connect(undefined)
    if (this.#flavour === 'ocaml') return
    await this.#connect(0)
    for (const [name, value] of Object.entries(QUOTAS))
      await this.#request(this.#clients[0], MessageType.control, 0, `quota\0set\0${name}\0${value}\0`)
    for (const domid of [5, 6]) {
      await this.#create(domid)
      await this.#introduce(this.#clients[0], `${domid}\x001\x001\0`, domid)
      const path = `/local/domain/${domid}`
      await this.#request(this.#clients[0], MessageType.write, 0, `${path}/data\0`)
      await this.#request(this.#clients[0], MessageType.setPerms, 0, `${path}\0n0\0r${domid}\0`)
      await this.#request(this.#clients[0], MessageType.setPerms, 0, `${path}/data\0n${domid}\0`)
    }
    await this.#create(7)
  }

  async finish() {
    for (const path of ['/', '/a', '/a/b', '/local/domain/5', '/local/domain/6', '/local/domain/6/data'])
      for (const type of [MessageType.directory, MessageType.getPerms, MessageType.read])
        await this.#request(this.#clients[0], type, 0, `${path}\0`)
    if (this.#flavour === 'ocaml') return
    for (const domid of [5, 6, 7])
      await this.#request(this.#clients[0], MessageType.control, 0, `quota\0${domid}\0`, withoutMemory)
  }

  async close() {
    for (const { ends } of this.#clients) await Promise.allSettled(ends.map((end) => end.close()))
  }

  read = (operands) => this.#onNode(MessageType.read, operands)
  makeDirectory = (operands) => this.#onNode(MessageType.mkdir, operands)
  list = (operands) => this.#onNode(MessageType.directory, operands)
  getPermissions = (operands) => this.#onNode(MessageType.getPerms, operands)

  /** oxenstored tells again of what a transaction has removed when it removes what was above: one removal in each. */
  async remove(operands) {
    const { removedIn } = this.#client(operands.a)
    const transaction = this.#transaction(operands.a, operands.c)
    if (this.#flavour === 'ocaml' && transaction !== 0) {
      if (removedIn.has(transaction)) return
      removedIn.add(transaction)
    }
    await this.#onNode(MessageType.rm, operands)
  }

  async write({ a, b, c, d }) {
    const payload = `${pathOf(b, d)}\0${valueText(c, d)}`
    await this.#request(this.#client(a), MessageType.write, this.#transaction(a, c), payload)
  }

  async listPart({ a, b, c, d }) {
    const offsets = ['0', '1', '3', '5', '100', '-1', 'x', '']
    const payload = `${pathOf(b, d)}\0${offsets[c % offsets.length]}\0`
    const transaction = this.#transaction(a, d)
    await this.#request(this.#client(a), MessageType.directoryPart, transaction, spoilt(payload, b, c))
  }

  async setPermissions({ a, b, c, d }) {
    const client = this.#client(a)
    const path = pathOf(b, d)
    // For others, or of another name, xenstored answers with a stale errno, or aborts.
    if (path.startsWith('@') && this.#flavour === 'ocaml') return
    if (path.startsWith('@') && !(client.domid === undefined && /Domain$/.test(path))) return
    // xenstored removes what a dead domain owns, also the root, and is of no use then.
    const owner = path === '/' ? [c % 2 ? 'b0' : 'r0'] : []
    const payload = `${[path, ...owner, ...permissionsOf(c, d, this.#flavour)].join('\0')}\0`
    await this.#request(client, MessageType.setPerms, this.#transaction(a, b), payload)
  }

  async watch({ a, b, c, d }) {
    const payload = `${pathOf(b, d)}\0${TOKENS[c % TOKENS.length]}\0`
    await this.#request(this.#client(a), MessageType.watch, d % 7 === 0 ? c : 0, spoilt(payload, b, c))
  }

  async unwatch({ a, b, c, d }) {
    const payload = `${pathOf(b, d)}\0${TOKENS[c % TOKENS.length]}\0`
    await this.#request(this.#client(a), MessageType.unwatch, 0, spoilt(payload, b, c))
  }

  async start({ a, b, c, d }) {
    const client = this.#client(a)
    const transaction = d % 7 === 0 ? this.#transaction(a, c) : 0
    const payload = b % 8 === 0 ? '' : '\0'
    const reply = await this.#request(client, MessageType.transactionStart, transaction, payload)
    const id = Number.parseInt(reply?.payload ?? '', 10)
    if (reply?.type === MessageType.transactionStart) client.transactions.push(id)
  }

  async end({ a, b, c, d }) {
    const client = this.#client(a)
    const id = d % 13 === 0 ? c : (pick(client.transactions, b) ?? 0)
    const payload = spoilt(c % 4 === 0 ? 'F\0' : 'T\0', b, d)
    await this.#request(client, MessageType.transactionEnd, id, payload)
    if (payload.length === 2 && payload !== '\0\0')
      client.transactions = client.transactions.filter((other) => other !== id)
  }

  async introduce({ a, b, c, d }) {
    const domid = domidText(b, d)
    const payload = spoilt(`${domid}\x001\0${c % 8 === 0 ? 'x' : 3}\0`, c, d)
    await this.#introduce(this.#client(a), payload, domidIn(payload))
  }

  async release({ a, b, d }) {
    const text = domidText(b, d)
    const domid = domidIn(text)
    if (this.#isBound(domid)) return
    await this.#run(domid)
    await this.#request(this.#client(a), MessageType.release, 0, `${text}\0`, undefined, domid)
  }

  async isIntroduced({ a, b, c, d }) {
    const payload = spoilt(`${domidText(b, d)}\0`, b, c)
    await this.#request(this.#client(a), MessageType.isDomainIntroduced, this.#transaction(a, c), payload)
  }

  async domainPath({ a, b, c, d }) {
    const payload = spoilt(`${domidText(b, d)}\0`, b, c)
    await this.#request(this.#client(a), MessageType.getDomainPath, this.#transaction(a, c), payload)
  }

  async resume({ a, b, d }) {
    const text = domidText(b, d)
    await this.#run(domidIn(text))
    const reply = await this.#request(this.#client(a), MessageType.resume, 0, `${text}\0`)
    if (reply?.type === MessageType.resume) this.#shut.delete(domidIn(text))
  }

  /** At most once for each, and no circles. */
  async target({ a, b, c }) {
    const [domid, target] = [5 + (b % 3), 5 + (c % 3)]
    const bound = [...this.#targets.keys(), ...this.#targets.values()]
    if (domid === target || bound.includes(domid)) return
    const client = this.#client(a)
    const reply = await this.#request(client, MessageType.setTarget, 0, `${domid}\0${target}\0`)
    if (reply?.type === MessageType.setTarget) this.#targets.set(domid, target)
  }

  async resetWatches({ a, b, c }) {
    const client = this.#client(a)
    const reply = await this.#request(client, MessageType.resetWatches, 0, spoilt('\0', b, c))
    if (reply?.type === MessageType.resetWatches) client.transactions = []
  }

  /** Types that are none, and such without a payload. */
  async any({ a, b, c, d }) {
    const types = [
      15,
      16,
      20,
      23,
      26,
      255,
      0xffff,
      MessageType.read,
      MessageType.directory,
      MessageType.mkdir,
    ]
    const transaction = this.#transaction(a, c)
    await this.#request(this.#client(a), types[b % types.length], transaction, d % 2 ? '' : 'x\0')
  }

  /** Of programs: the ring of a domain stays. */
  async reconnect({ a }) {
    const client = pick(
      this.#clients.filter(({ domid }) => domid === undefined),
      a,
    )
    this.#clients.splice(this.#clients.indexOf(client), 1)
    await Promise.all(client.ends.map((end) => end.close()))
    await this.#connect(undefined)
  }

  async create({ b }) {
    const domid = 5 + (b % 3)
    if (!this.#existing.has(domid)) await this.#create(domid)
  }

  async destroy({ b }) {
    const domid = 5 + (b % 3)
    if (!this.#introduced.has(domid) || this.#isBound(domid)) return
    this.#existing.delete(domid)
    await this.#do(`domain ${domid} is destroyed`, (world) => world.destroy(domid))
    await this.#gone(domid)
    await this.#compareEvents(`domain ${domid} is destroyed`)
  }

  async shutDown({ b }) {
    const domid = 5 + (b % 3)
    if (!this.#introduced.has(domid) || this.#shut.has(domid)) return
    this.#shut.add(domid)
    await this.#do(`domain ${domid} shuts down`, (world) => world.shutDown(domid))
    await this.#compareEvents(`domain ${domid} shuts down`)
  }

  async #onNode(type, { a, b, c, d }) {
    const payload = spoilt(`${pathOf(b, d)}\0`, c, d)
    await this.#request(this.#client(a), type, this.#transaction(a, c), payload)
  }

  async #create(domid) {
    this.#existing.add(domid)
    this.#shut.delete(domid)
    await this.#do(`there is a domain ${domid}`, (world) => world.create(domid))
  }

  async #introduce(client, payload, domid) {
    // It would begin anew, also with the indexes of its ring.
    if (domid === 0) return
    const reply = await this.#request(client, MessageType.introduce, 0, payload)
    if (reply?.type !== MessageType.introduce) return
    const again = this.#clients.find((other) => other.domid === domid)
    if (again) again.transactions = []
    this.#introduced.add(domid)
    if (again === undefined) await this.#connect(domid)
  }

  /** Nothing but the hypervisor's word: xenstored still holds that it has told of the shutdown. */
  async #run(domid) {
    if (this.#shut.has(domid)) await this.#do(`domain ${domid} runs again`, (world) => world.run(domid))
  }

  async #gone(domid) {
    this.#introduced.delete(domid)
    this.#targets.delete(domid)
    this.#shut.delete(domid)
    const at = this.#clients.findIndex((client) => client.domid === domid)
    const [client] = this.#clients.splice(at, 1)
    await Promise.all(client.ends.map((end) => end.close()))
  }

  #isBound(domid) {
    return [...this.#targets.values()].includes(domid)
  }

  async #connect(domid) {
    const ends = []
    for (const world of this.#worlds) ends.push(await world.connect(domid))
    this.#clients.push({ domid, ends, transactions: [], removedIn: new Set() })
  }

  #client(number) {
    return pick(this.#clients, number)
  }

  /** Half of the requests of a connection are part of a transaction, if there is one. */
  #transaction(client, number) {
    if (number % 31 === 0) return number
    return number % 2 ? (pick(this.#client(client).transactions, number) ?? 0) : 0
  }

  async #request(client, type, transaction, payload, look = (seen) => seen, released = undefined) {
    const who = client.domid === undefined ? 'a program' : `domain ${client.domid}`
    const inside = transaction ? ` in transaction ${transaction}` : ''
    const what = `${who}${inside}: ${typeNames[type] ?? type} ${JSON.stringify(payload)}`
    // oxenstored does not answer them, and shows where it is installed.
    if (this.#flavour === 'ocaml' && (payload === '' || payload.startsWith('/tool/xenstored')))
      return undefined
    if (ONE_PATH.has(type) && !/^[^\0]*\0$/.test(payload)) await this.#makeErrnoEinval(client)
    const kept = await this.#both.do(what, async (_world, side) => {
      const { requestId, ...reply } = await client.ends[side].request(type, transaction, payload)
      return { seen: look(reply), kept: reply }
    })
    if (type === MessageType.release && kept?.[0].type === type) await this.#gone(released)
    await this.#compareEvents(what)
    return kept?.[0]
  }

  /**
   * A request with a path that does not end with the only NUL is answered with the errno of whatever failed before; where
   * that is 0, xenstored 4.17 aborts. So something fails before, with EINVAL.
   */
  async #makeErrnoEinval({ ends }) {
    for (const end of ends) await end.request(MessageType.read, 0, '//\0')
  }

  async #do(what, act) {
    await this.#both.do(what, async (world) => {
      await act(world)
      return {}
    })
  }

  async #compareEvents(after) {
    for (const { domid, ends } of this.#clients)
      await this.#both.compare(`events for ${domid ?? 'a program'} after ${after}`, async (_world, side) => {
        await ends[side].settle()
        // Watches of one node are told in another order by oxenstored.
        return this.#flavour === 'c' ? ends[side].events() : ends[side].events().sort()
      })
  }
}

/** As `atoi` reads it. */
function domidIn(text) {
  return (Number.parseInt(text, 10) || 0) | 0
}

function withoutMemory(reply) {
  return { ...reply, payload: reply.payload.replace(/(memory|outstanding) *: *\d+\n/g, '') }
}

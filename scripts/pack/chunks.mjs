// Which modules are one file: what is loaded together. What need not be loaded, or must not be, is in another.
import { relative } from 'node:path'

/** Of each kind, one of Linux and a simulated one. */
export const DEVICES =
  /^src\/(drivers|simulated\/devices)\/.*(linux|simulated)-(gntalloc|gntdev|evtchn|xenbus)$/
const COMMANDS =
  /^src\/cli\/(demo|demo-peer|share|map|notify|send|receive|listen|connect|doctor|store|top\/top)$/

/**
 * For `manualChunks` of Rollup.
 * @param {string} root the folder of the modules
 * @param {string[]} entryPoints of the package, without `.js`
 */
export function chunksOf(root, entryPoints) {
  let plan
  return (id, { getModuleIds, getModuleInfo }) => {
    plan ??= planned(new Modules(root, getModuleIds(), getModuleInfo), entryPoints)
    return plan.get(id)
  }
}

/**
 * Each chunk has, of the modules it names, those that no chunk before it has. It names whatever its modules import too: so it
 * imports chunks before it only.
 */
function planned(modules, entryPoints) {
  const workers = modules.like(/^workers\//)
  const inWorkers = modules.closure(
    ...workers,
    ...modules.like(DEVICES),
    ...modules.like(/^src\/(grants|mapping|events|xenstore)\/worker\/[a-z]+-worker$/),
    'src/threads/cleaner',
    'src/fill/task',
    'src/grants/filler-grant',
    'src/simulated/host/host',
    'src/simulated/host/store-session',
  )
  const outside = modules.closure(...entryPoints, ...modules.like(COMMANDS))
  const shared = common(inWorkers, outside)
  const chunks = {
    // All that xen-grants/xenstore loads until it is opened, which nearly everything else needs too.
    base: modules.closure('src/xenstore'),
    common: new Set([
      ...modules.closure(...workers),
      ...common(modules.closure('src/index'), modules.closure('src/vchan')),
      ...common(modules.closure('src/monitor'), modules.closure('src/vchan', 'src/simulated/index')),
      ...[...shared].filter((id) => !modules.load(id, 'comlink')),
    ]),
    calls: shared,
    main: modules.closure('src/index'),
    streams: modules.closure('src/vchan'),
    store: modules.closure('src/xenstore/store-parts'),
    simulated: modules.closure('src/simulated/index'),
    monitor: modules.closure('src/monitor'),
    // What calls the C library; the simulated Xen's host, and the store's worker, need nothing else of a device worker.
    native: modules.closure(
      ...modules.like(DEVICES),
      'src/threads/cleaner',
      'src/simulated/devices/peer-worker',
    ),
    device: modules.closure(...modules.like(/^src\/(grants|mapping|events)\/worker\/[a-z]+-worker$/)),
    host: modules.closure('src/simulated/host/host', 'src/simulated/host/store-session'),
    cli: modules.closureOfSeveral(modules.like(COMMANDS)),
  }
  const plan = new Map()
  for (const [name, ids] of Object.entries(chunks))
    for (const id of ids) if (!plan.has(id) && !workers.includes(modules.name(id))) plan.set(id, name)
  return plan
}

const common = (some, others) => new Set([...some].filter((id) => others.has(id)))

/** By their names: paths below the root, without `.js`. */
class Modules {
  #root
  #info
  #ids

  constructor(root, ids, info) {
    this.#root = root
    this.#info = info
    this.#ids = new Map([...ids].filter((id) => !info(id).isExternal).map((id) => [this.name(id), id]))
  }

  name(id) {
    return relative(this.#root, id).replace(/\.js$/, '')
  }

  like(pattern) {
    return [...this.#ids.keys()].filter((name) => pattern.test(name))
  }

  /** What is loaded with these modules: what they import, but not what they import later. */
  closure(...names) {
    const found = new Set()
    const visit = (id) => {
      if (found.has(id) || this.#info(id).isExternal) return
      found.add(id)
      for (const imported of this.#info(id).importedIds) visit(imported)
    }
    for (const name of names) {
      const id = this.#ids.get(name)
      if (id === undefined) throw new Error(`there is no module ${name}`)
      visit(id)
    }
    return found
  }

  /** What is loaded with two of these, or more. */
  closureOfSeveral(names) {
    const seen = new Set()
    const twice = new Set()
    for (const name of names) for (const id of this.closure(name)) (seen.has(id) ? twice : seen).add(id)
    return twice
  }

  /** Whether the package is loaded with that module. */
  load(id, name) {
    return [...this.closure(this.name(id))].some((one) => this.#info(one).importedIds.includes(name))
  }
}

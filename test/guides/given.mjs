// Loaded before a program of a document that runs in a domain: what opens a device opens that domain's, of the simulated Xen that
// XEN_GRANTS_GUIDE names. So the document can say what a program on Xen says. And it makes what the text around has spoken of.
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'

/** By their names: each is made when a program is given it. `name@N` is that of domain N, and not of the program's own. */
const makers = {
  xen: ({ Xen }, on) => Xen.open({ on }),
  server: ({ GrantServer }, device) => GrantServer.open({ device }),
  grant: async ({ GrantServer }, device) =>
    (await GrantServer.open({ device })).share({ domid: 7, pages: 4, writable: true }),
  mapper: ({ GrantMapper }, device) => GrantMapper.open({ device }),
  events: ({ EventChannels }, device) => EventChannels.open({ device }),
  store: ({ XenStore }, path) => XenStore.open({ path }),
  signal: () => new AbortController().signal,
}

// Threads are told by the program what to open.
if (isMainThread) {
  const [path, domid, given] = process.env.XEN_GRANTS_GUIDE.split('#')
  const parts = {
    ...(await import('xen-grants')),
    ...(await import('xen-grants/xenstore')),
  }
  const { SimulatedXen } = await import('xen-grants/simulated')
  const simulated = await SimulatedXen.attach(path)
  for (const [name, option] of [
    ['Xen', 'on'],
    ['GrantServer', 'device'],
    ['GrantMapper', 'device'],
    ['EventChannels', 'device'],
    ['XenStore', 'path'],
  ]) {
    const part = parts[name]
    const { open } = part
    part.open = (options) => open.call(part, { [option]: simulated.domain(Number(domid)), ...options })
  }
  for (const word of given ? given.split(',') : []) {
    const [name, owner = domid] = word.split('@')
    if (!makers[name]) throw new Error(`nothing is known of ${name}: see test/guides/given.mjs`)
    globalThis[name] = await makers[name](parts, simulated.domain(Number(owner)))
  }
}

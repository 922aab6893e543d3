const service = ['test/net/service.test.ts']
const socket = ['test/net/service-socket.test.ts']
const http = ['test/net/http.test.ts']
const death = ['test/net/death.test.ts']
const reconnection = ['test/net/reconnection.test.ts']

export default [
  {
    file: 'src/net/acceptor.ts',
    find: 'await meeting.clear(signal)',
    replace: '',
    tests: death,
    breaks: 'clients are led by the keys of a service that was killed',
    argued:
      'the first offer overwrites all three keys, in one transaction: only the moment before it matters',
  },
  {
    file: 'src/net/acceptor.ts',
    find: 'if (!this.#host.hasRoom(this.domid)) {',
    replace: 'if (false) {',
    tests: service,
    breaks: 'a domain may have any number of connections',
  },
  {
    file: 'src/net/acceptor.ts',
    find: 'if (stale) {',
    replace: 'if (false) {',
    tests: service,
    breaks: 'keys of a connection stay when the service closes',
  },
  {
    file: 'src/net/acceptor.ts',
    find: 'this.#stale = undefined\n    this.#replaced()\n    this.reference()',
    replace: 'this.#stale = undefined\n    this.reference()',
    tests: service,
    breaks: 'connections never close, waiting for their keys to be replaced',
  },
  {
    file: 'src/net/acceptor.ts',
    find: 'if (this.#seen) this.#host.gone(this.domid)',
    replace: 'this.#seen = false',
    tests: death,
    breaks: 'what was offered to a domain that is destroyed is never taken back',
  },
  {
    file: 'src/vchan/offer.ts',
    find: 'if (ended) throw ended',
    replace: '',
    tests: death,
    breaks: 'a service whose event worker has died waits for clients for ever',
  },
  {
    file: 'src/vchan/server-link.ts',
    find: 'if (!channel.ended) channel.notify()',
    replace: 'channel.notify()',
    tests: death,
    breaks: 'pages are taken from a client that has not read them, when the event worker of its server dies',
  },
  {
    file: 'src/net/connections.ts',
    find: 'this.#backlog.push(socket)',
    replace: '',
    tests: service,
    breaks: 'nobody gets a connection',
  },
  {
    file: 'src/net/connections.ts',
    find: 'add(this.#ended, socket)',
    replace: '',
    tests: service,
    breaks: 'the counts forget connections that have ended',
  },
  {
    file: 'src/net/service.ts',
    find: 'for (const socket of this.#connections.takeAll()) socket.destroy()',
    replace: '',
    tests: service,
    breaks: 'a service that closes waits for connections that nobody can get',
  },
  {
    file: 'src/net/service.ts',
    find: 'if (taken.has(place)) {',
    replace: 'if (false) {',
    tests: service,
    breaks: 'two services take each other the keys away',
  },
  {
    file: 'src/net/turns.ts',
    find: '.give()',
    replace: '',
    tests: socket,
    breaks: 'a program connects to a service once',
  },
  {
    file: 'src/net/turns.ts',
    find: 'if (--service.count === 0) services.delete(key)',
    replace: '',
    tests: socket,
    breaks: 'services that were connected to once are remembered for ever',
    argued: 'a string and a semaphore for each service: nothing that a test can see',
  },
  {
    file: 'src/net/vchan-agent.ts',
    find: 'const place = this.#hold()',
    replace: 'const place = new Duplex()',
    tests: http,
    breaks: 'maxSockets means nothing while connections are being made',
  },
  {
    file: 'src/net/vchan-agent.ts',
    find: 'this.#counting.removeSocket(place, options)',
    replace: 'this.#release(place)',
    tests: http,
    breaks: 'requests that wait for a connection hang when one could not be made',
  },
  {
    file: 'src/net/vchan-agent.ts',
    find: "this.#stop.abort(closedError('the agent'))",
    replace: '',
    tests: http,
    breaks: 'an agent that is destroyed goes on connecting',
  },
  {
    file: 'src/net/reconnection.ts',
    find: 'if (short > 0) await pause',
    replace: 'if (false) await pause',
    tests: reconnection,
    breaks: 'a service that hangs up is asked again without end',
  },
  {
    file: 'src/net/reconnection.ts',
    find: 'if (this.#closed) return undefined',
    replace: '',
    tests: reconnection,
    breaks: 'closing makes the loop throw',
  },
]

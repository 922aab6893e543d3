// How the end of a domain is noticed, and a server that has been replaced.
const hostile = ['test/vchan/hostile.test.ts']
const death = ['test/vchan/death.test.ts']
const ring = ['test/vchan/ring.test.ts']
const stream = ['test/vchan/stream.test.ts']
const sign = ['test/vchan/sign.test.ts']
const owner = ['test/vchan/owner.test.ts']
const presence = ['test/vchan/presence.test.ts']
const vigil = ['test/vchan/vigil.test.ts']

export default [
  {
    file: 'src/vchan/sign.ts',
    find: 'this.#missing ? this.#missingLooks + 1 : 0',
    replace: 'this.#missing ? MISSING_LOOKS : 0',
    tests: sign,
    breaks: 'a server that closes is taken for a domain that has been destroyed',
  },
  {
    file: 'src/vchan/sign.ts',
    find: '(!stands && !this.#known)',
    replace: 'false',
    tests: sign,
    breaks: "clients of Qubes's servers are reset two seconds after they have connected",
  },
  {
    file: 'src/vchan/sign.ts',
    find: '.watch(watched).unref()',
    replace: '.watch(watched)',
    tests: sign,
    breaks: 'a vchan that is unreferenced keeps the process alive',
  },
  {
    file: 'src/vchan/owner.ts',
    find: 'return startOf(pid!, thread!) !== started',
    replace: 'return startOf(pid!, thread!) === undefined',
    tests: owner,
    breaks: 'the node of a process that has died stays, once another has got its number',
  },
  {
    file: 'src/vchan/owner.ts',
    find: 'namespaces !== namespacesHere() ||',
    replace: '',
    tests: owner,
    breaks: 'a server in one container resets the streams of a server in another',
  },
  {
    file: 'src/vchan/presence.ts',
    find: 'judged[i] === true',
    replace: 'judged[i] !== undefined',
    tests: presence,
    breaks: 'a new server at a path resets the streams of another process there',
  },
  {
    file: 'src/vchan/presence.ts',
    find: 't.setPermissions(this.directory, permissions),',
    replace: '',
    tests: presence,
    breaks: 'no client is told that the domain of its server is gone',
  },
  {
    file: 'src/vchan/presence.ts',
    find: 'if (place.crowded || place.stands) return []',
    replace: 'if (place.stands) return []',
    tests: presence,
    breaks:
      'a server that is killed and started in one container after the other takes all nodes of its domain',
  },
  {
    file: 'src/vchan/awaited-domain.ts',
    find: 'if (known && !this.#seen) return',
    replace: '',
    tests: vigil,
    breaks: 'domain 0 serves no domain that is just being created',
  },
  {
    file: 'src/vchan/attempt.ts',
    find: 'if (!(error instanceof NotYet)) await this.#mustStand(keys)',
    replace: '',
    tests: hostile,
    breaks:
      'a client fails whose keys are old and lead to a page that is a ring of another connection by now',
  },
  {
    file: 'src/vchan/inflow.ts',
    find: 'if (!this.#stopped) this.#end.reader.publish()',
    replace: '',
    tests: ring,
    breaks: 'who closes when it has all bytes has not taken them, says the other end',
  },
  {
    file: 'src/vchan/inflow.ts',
    find: 'let more = true',
    replace: 'let more = false',
    tests: ring,
    breaks: 'nothing comes any more after a listener has thrown',
  },
  {
    file: 'src/vchan/inflow.ts',
    find: 'if (!this.#reading && !this.#asked && this.#readyOrAsked() > 0) this.#consumer.later()',
    replace: 'this.read()',
    tests: ring,
    breaks: 'a stream whose other end is faster leaves nobody else a turn',
  },
  {
    file: 'src/vchan/vchan.ts',
    find: 'if (!atOnce) callback(error)',
    replace: 'if (atOnce) callback(error)',
    tests: stream,
    breaks: 'the other end is woken for each of many small writes',
  },
  {
    file: 'src/vchan/vchan.ts',
    find: 'const { over } = this.#writing',
    replace: 'const over = false',
    tests: stream,
    breaks: 'a writer whose other end is faster leaves nobody else a turn',
  },
  {
    file: 'src/vchan/inflow.ts',
    find: 'this.#asked = false\n    const',
    replace: 'const',
    tests: ring,
    breaks: 'what came while nobody wanted it is never read',
  },
  {
    file: 'src/vchan/offer.ts',
    find: 'this.channel.ended ?? one.reason',
    replace: 'one.reason',
    tests: death,
    breaks: 'a server whose event worker dies is told that a port is invalid',
  },
]

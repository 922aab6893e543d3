import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** So many threads of writer.mjs. */
export function startWriters(t, count) {
  const state = new Int32Array(new SharedArrayBuffer(4 * (1 + count)))
  const threads = Array.from({ length: count }, (_, number) => {
    return new Worker(new URL('writer.mjs', import.meta.url), { workerData: { state, number } })
  })
  const release = () => {
    Atomics.store(state, 0, -1)
    Atomics.notify(state, 0)
  }
  t.defer(async () => {
    release()
    await Promise.all(threads.map((thread) => thread.terminate()))
  })
  const answers = () => Promise.all(threads.map(async (thread) => (await once(thread, 'message'))[0]))

  return {
    /** @param ownPages how many each shares for itself, which no other thread refers to */
    async connect(server, ownPages = 0) {
      const connected = answers()
      for (const thread of threads) {
        const port = server.connect()
        thread.postMessage({ port, ownPages }, [port])
      }
      await connected
    },
    /**
     * @param grants each of them is for some of the threads
     * @param pauseMs how long a thread lets others run between stores, such as threads that start meanwhile
     */
    write(grants, round, pauseMs = 0) {
      Atomics.store(state, 0, round)
      for (const [i, thread] of threads.entries())
        thread.postMessage({ handle: grants[i % grants.length].handle(), round, pauseMs })
    },
    /** When each of them has been through its view once more. */
    async allWrite() {
      const fields = threads.map((_, number) => 1 + number)
      const before = fields.map((field) => Atomics.load(state, field))
      await Promise.all(
        // Twice: the first may have been under way already.
        fields.map(async (field, i) => {
          for (let now = before[i]; now - before[i] < 2; now = Atomics.load(state, field))
            await Atomics.waitAsync(state, field, now).value
        }),
      )
    },
    /** @returns how many bytes each of them has left then */
    async stop() {
      const left = answers()
      release()
      return left
    },
  }
}

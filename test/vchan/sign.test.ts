import { describe, expect, it } from 'vitest'
import { type XenStore, XenStoreError } from 'xen-grants/xenstore'
import { Sign, type SignOptions } from '../../dist/src/vchan/sign.js'

const NODE = '/local/domain/3/data/x/open/a'
const WATCHED = '/local/domain/3/data/x/open'

/** A store with one node, or none, whose watch tells of what it is told to tell of. */
class FakeStore {
  value: string | undefined = 'there'
  reads = 0
  unreferenced = false
  ended = false
  #waiting: ((result: IteratorResult<object, undefined>) => void) | undefined
  #refusal: Error | undefined

  refuse(error: Error): void {
    this.#refusal = error
  }

  async readText(path: string): Promise<string> {
    this.reads++
    if (path === NODE && this.value !== undefined) return this.value
    throw new XenStoreError('EACCES', 'no', { operation: 'readText' })
  }

  watch(path: string): object {
    expect(path).toBe(WATCHED)
    let first = true
    const stream = {
      unref: () => {
        this.unreferenced = true
        return stream
      },
      next: () => {
        if (this.#refusal) return Promise.reject(this.#refusal)
        if (first) {
          first = false
          return Promise.resolve({ done: false, value: { path, initial: true } })
        }
        return new Promise((resolve) => {
          this.#waiting = resolve
        })
      },
      return: async () => {
        this.ended = true
        this.#waiting?.({ done: true, value: undefined })
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => stream,
    }
    return stream
  }

  async change(path: string): Promise<void> {
    this.#waiting!({ done: false, value: { path, initial: false } } as never)
    await settled()
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

function make(options: Partial<SignOptions> = {}): { store: FakeStore; sign: Sign } {
  const store = new FakeStore()
  const sign = new Sign(store as unknown as XenStore, { node: NODE, watched: WATCHED, ...options })
  return { store, sign }
}

/** What the next looks say. */
async function looks(sign: Sign, count: number): Promise<boolean[]> {
  const said: boolean[] = []
  for (let i = 0; i < count; i++) {
    said.push(sign.gone())
    await settled()
  }
  return said
}

describe('the sign of a domain', () => {
  it('is gone when its node has been missing for three looks, and keeps no process alive', async () => {
    const { store, sign } = make()
    expect(await looks(sign, 3)).toEqual([false, false, false])
    expect(store.unreferenced).toBe(true)
    store.value = undefined
    expect(await looks(sign, 3), 'nobody has told').toEqual([false, false, false])
    await store.change(NODE)
    expect(await looks(sign, 3)).toEqual([false, false, true])
    sign.end()
    expect([sign.gone(), store.ended]).toEqual([false, true])
  })

  it('is gone when it went before it was watched', async () => {
    const { store, sign } = make()
    store.value = undefined
    expect(await looks(sign, 4)).toEqual([false, false, false, true])
  })

  it('is not gone when it is there again, whatever its value', async () => {
    const { store, sign } = make()
    await looks(sign, 1)
    store.value = undefined
    await store.change(WATCHED)
    expect(await looks(sign, 2)).toEqual([false, false])
    store.value = '\0'
    await store.change(NODE)
    expect(await looks(sign, 4)).toEqual([false, false, false, false])
  })

  it('is not read again for what becomes of the nodes of others', async () => {
    const { store, sign } = make()
    await looks(sign, 1)
    for (const other of ['b', 'ab', 'a/b']) await store.change(`${WATCHED}/${other}`)
    expect(store.reads).toBe(1)
  })

  it('tells nothing when no watch can be had', async () => {
    const { store, sign } = make()
    store.refuse(new XenStoreError('EQUOTA', 'too many', { operation: 'watch' }))
    store.value = undefined
    expect(await looks(sign, 6)).not.toContain(true)
  })

  it('tells nothing when xenstored cannot be asked', async () => {
    const { store, sign } = make()
    await looks(sign, 1)
    store.readText = () => Promise.reject(new XenStoreError('ECONNRESET', 'gone', { operation: 'readText' }))
    await store.change(NODE)
    expect(await looks(sign, 4)).not.toContain(true)
    expect(store.ended).toBe(true)
  })

  describe('that counts later only', () => {
    const KEYS = { value: 'there', after: 2 }

    it('tells nothing when it has gone by then', async () => {
      const { store, sign } = make(KEYS)
      expect(await looks(sign, 2)).toEqual([false, false])
      expect(store.reads).toBe(0)
      store.value = undefined
      expect(await looks(sign, 6)).not.toContain(true)
      expect(store.ended).toBe(true)
    })

    it('is gone when it goes after that', async () => {
      const { store, sign } = make(KEYS)
      await looks(sign, 3)
      store.value = undefined
      await store.change(NODE)
      expect(await looks(sign, 3)).toEqual([false, false, true])
    })

    it('tells nothing any more when it is that of another server', async () => {
      const { store, sign } = make(KEYS)
      await looks(sign, 3)
      store.value = 'another'
      await store.change(NODE)
      store.value = undefined
      expect(await looks(sign, 6)).not.toContain(true)
      expect(store.ended).toBe(true)
    })
  })
})

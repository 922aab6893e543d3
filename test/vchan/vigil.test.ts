import { expect, it } from 'vitest'
import { GrantError } from 'xen-grants'
import { XenStoreError } from 'xen-grants/xenstore'
import { AwaitedDomain } from '../../dist/src/vchan/awaited-domain.js'
import type { Link } from '../../dist/src/vchan/link.js'
import type { Sign } from '../../dist/src/vchan/sign.js'
import { type DomainParts, Vigil } from '../../dist/src/vchan/vigil.js'

/** Parts of a domain that sees what domain 7 is by these answers, one for each look; the last one stays. */
function parts(binding: string[], introduced: (boolean | Error)[]): DomainParts {
  const next = <T>(answers: T[]): T => (answers.length > 1 ? answers.shift()! : answers[0]!)
  const events = { bindInterdomain: () => Promise.reject(new GrantError(next(binding), '')) }
  const store = {
    isIntroduced: async () => {
      const answer = next(introduced)
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  return { events: async () => events, store: async () => store } as unknown as DomainParts
}

/** After how many looks the domain is found to be gone, if that is within so many. */
function looksUntilGone(vigil: Vigil, most: number, sign?: { gone(): boolean }): Promise<number | undefined> {
  return new Promise((resolve) => {
    let looks = 0
    const end = (result: number | undefined): void => {
      vigil.remove(watched)
      clearTimeout(alive)
      resolve(result)
    }
    const watched = {
      domid: 7,
      sign: sign as Sign | undefined,
      look: () => {
        if (++looks > most) end(undefined)
      },
      domainGone: () => end(looks),
      close: () => Promise.resolve(),
    }
    // The looks themselves keep no program alive.
    const alive = setTimeout(() => {}, 60_000)
    vigil.add(watched)
  })
}

it('a domain that Xen does not know is gone', async () => {
  expect(await looksUntilGone(Vigil.of(parts(['EINVAL', 'ESRCH'], [true])), 5)).toBe(2)
})

it('a domain whose pages are mapped, so that Xen still knows it, is gone when xenstored has let go of it', async () => {
  expect(await looksUntilGone(Vigil.of(parts(['EINVAL'], [true, true, false])), 5)).toBe(3)
})

it.each(['EACCES', 'ECONNREFUSED'])('xenstored that does not tell (%s) ends no vchan', async (code) => {
  const refusal = new XenStoreError(code, 'no', { operation: 'isIntroduced' })
  expect(await looksUntilGone(Vigil.of(parts(['EINVAL'], [true, refusal])), 3)).toBeUndefined()
})

it('a domain that xenstored does not serve yet is waited for, and one that it has served is not', async () => {
  const told: unknown[] = []
  const vigil = Vigil.of(parts(['EINVAL'], [false, false, true, false]))
  const stop = new AbortController()
  const awaited = new AwaitedDomain(7, '/x', stop)
  const gone = new Promise((resolve) => stop.signal.addEventListener('abort', resolve))
  const alive = setTimeout(() => {}, 60_000)
  const counted = { domid: 7, look: () => told.push('look'), domainGone: () => {}, close: async () => {} }
  vigil.add(counted)
  vigil.add(awaited)
  await gone
  vigil.remove(awaited)
  vigil.remove(counted)
  clearTimeout(alive)
  expect(told).toHaveLength(4)
  expect(stop.signal.reason).toMatchObject({ code: 'ECONNRESET', domid: 7, path: '/x' })
})

it('a domain that Xen has never known is not waited for', () => {
  const stop = new AbortController()
  new AwaitedDomain(7, '/x', stop).domainGone(false)
  expect(stop.signal.reason).toMatchObject({ code: 'ESRCH', domid: 7 })
})

it('a domain of which xenstored does not tell is gone with its sign', async () => {
  const refusal = new XenStoreError('EACCES', 'no', { operation: 'isIntroduced' })
  const signs = [false, false, true]
  const sign = { gone: () => signs.shift()! }
  expect(await looksUntilGone(Vigil.of(parts(['EINVAL'], [refusal])), 5, sign)).toBe(3)
})

it('where xenstored tells, no sign is looked for', async () => {
  const sign = { gone: () => true }
  expect(await looksUntilGone(Vigil.of(parts(['EINVAL'], [true])), 3, sign)).toBeUndefined()
})

it('a look at which Xen could not be asked tells nothing: a domain that is not there yet has not been seen', async () => {
  const answers = ['ERR_GRANTS_WORKER_DIED', 'ESRCH', 'EINVAL']
  const vigil = Vigil.of(parts(answers, [true]))
  const told: string[] = []
  const alive = setTimeout(() => {}, 60_000)
  await new Promise<void>((resolve) => {
    const watched = {
      domid: 7,
      look: () => {},
      domainThere: () => {
        told.push('there')
        vigil.remove(watched)
        resolve()
      },
      domainGone: () => void told.push('gone'),
      close: async () => {},
    }
    vigil.add(watched)
  })
  clearTimeout(alive)
  expect(told).toEqual(['gone', 'there'])
})

it('who stops waiting while a vchan is made gets none, and it is given back', async () => {
  const vigil = Vigil.of(parts(['EINVAL'], [true]))
  const released: string[] = []
  const link = { release: async () => void released.push('released') } as unknown as Link
  const stop = new AbortController()
  const opening = vigil.open(stop.signal, async () => {
    stop.abort(new Error('enough'))
    return link
  })
  await expect(opening).rejects.toThrow('enough')
  expect(released).toEqual(['released'])
  // Nor does who has stopped before.
  let begun = false
  const late = vigil.open(stop.signal, async () => {
    begun = true
    return link
  })
  await expect(late).rejects.toThrow('enough')
  expect(begun).toBe(false)
})

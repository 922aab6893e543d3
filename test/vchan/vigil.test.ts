import { expect, it } from 'vitest'
import { GrantError } from 'xen-grants'
import { XenStoreError } from 'xen-grants/xenstore'
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
function looksUntilGone(vigil: Vigil, most: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    let looks = 0
    const end = (result: number | undefined): void => {
      vigil.remove(watched)
      clearTimeout(alive)
      resolve(result)
    }
    const watched = {
      domid: 7,
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

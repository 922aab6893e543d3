// The end of a grant in one thread, with a device worker that answers when it is told to.
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { GrantError } from '../../src/errors.js'
import type { Connection, Pending } from '../../src/grants/device-connection.js'
import { Op, UnshareFlag } from '../../src/grants/grant-messages.js'
import { Unsharing } from '../../src/grants/unsharing.js'
import { InFlight } from '../../src/pages/in-flight.js'

interface Request {
  op: number
  flags: number
  pending: Pending
}

function setUp(owner = true) {
  const requests: Request[] = []
  const log: string[] = []
  const connection = {
    send(pending: Pending, op: number, _id: number, flags = 0) {
      requests.push({ op, flags, pending })
      return requests.length
    },
    request(op: number, id: number, flags = 0) {
      return new Promise<void>((resolve, reject) => {
        this.send({ answered: () => resolve(), failed: reject }, op, id, flags)
      })
    },
    cancel: (id: number) => log.push(`cancel ${id}`),
  }
  const inFlight = new InFlight()
  const unsharing = new Unsharing({
    id: 3,
    owner,
    connection: connection as unknown as Connection,
    inFlight,
    gaveBack: (force) => log.push(`gave back${force ? ' by force' : ''}`),
    failedToEnd: (error) => log.push(`failed ${(error as GrantError).code ?? error}`),
    ended: () => log.push('ended'),
  })
  const answer = (): void => requests.shift()!.pending.answered([], 0, 0, [])
  const refuse = (code: string): void => requests.shift()!.pending.failed(new GrantError(code, code))
  return { unsharing, requests, log, inFlight, answer, refuse }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an unshare', () => {
  it('is one request, however many ask for it, and tells once', async () => {
    const { unsharing, requests, log, answer } = setUp()
    const asked = [unsharing.unshare({}), unsharing.unshare({})]
    expect([requests.map(({ op }) => op), unsharing.live]).toEqual([[Op.unshare], false])
    answer()
    await Promise.all(asked)
    await unsharing.unshare({})
    expect([requests, log]).toEqual([[], ['gave back', 'ended']])
  })

  it('says whether notifications are to fire, in order and by force', () => {
    const { unsharing, requests } = setUp()
    void unsharing.unshare({ fireNotify: true })
    void unsharing.unshare({ force: true, fireNotify: true })
    void unsharing.unshare({ force: true })
    const { fireNotify, force } = UnshareFlag
    expect(requests.map(({ flags }) => flags)).toEqual([fireNotify, fireNotify | force, force])
  })

  it('waits for work, also for that which begins while it waits', async () => {
    const { unsharing, requests, inFlight, answer } = setUp()
    let finish = (): void => {}
    const working = inFlight.run(undefined, () => new Promise<void>((resolve) => (finish = resolve)))
    const ended = unsharing.unshare({})
    await turn()
    expect(requests).toEqual([])
    finish()
    await working
    await turn()
    expect(requests).toHaveLength(1)
    answer()
    await ended
  })

  it.each(['before it asks', 'while it is asked'])(
    'aborted %s leaves the grant live, and listens to its signal no more',
    async (when) => {
      const { unsharing, requests, log, inFlight, refuse, answer } = setUp()
      let finish = (): void => {}
      const working = inFlight.run(undefined, () => new Promise<void>((resolve) => (finish = resolve)))
      if (when === 'while it is asked') {
        finish()
        await working
      }
      const stop = new AbortController()
      const reason = new Error('not yet')
      const ended = unsharing.unshare({ signal: stop.signal })
      stop.abort(reason)
      if (when === 'while it is asked') {
        expect(log).toEqual(['cancel 1'])
        refuse('ABORT_ERR')
      }
      await expect(ended).rejects.toBe(reason)
      expect([unsharing.live, getEventListeners(stop.signal, 'abort').length]).toEqual([true, 0])
      unsharing.mustBeLive()
      finish()
      await working
      const again = unsharing.unshare({})
      await turn()
      expect(requests).toHaveLength(1)
      answer()
      await again
    },
  )

  it('that ends keeps no listener on its signal', async () => {
    const { unsharing, answer } = setUp()
    const { signal } = new AbortController()
    const ended = unsharing.unshare({ signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    answer()
    await ended
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('that fails can be tried again, and the grant is not live meanwhile', async () => {
    const { unsharing, log, answer, refuse } = setUp()
    for (const force of [false, true]) {
      const ended = unsharing.unshare({ force })
      refuse('EINVAL')
      await expect(ended).rejects.toMatchObject({ code: 'EINVAL' })
      expect(() => unsharing.mustBeLive()).toThrow(/unshared/)
    }
    const ended = unsharing.unshare({})
    answer()
    await ended
    expect(log).toEqual(['failed EINVAL', 'failed EINVAL', 'gave back', 'ended'])
  })

  it('aborted when it fails otherwise says how it failed', async () => {
    const { unsharing, refuse } = setUp()
    const stop = new AbortController()
    const ended = unsharing.unshare({ signal: stop.signal })
    stop.abort()
    refuse('EINVAL')
    await expect(ended).rejects.toMatchObject({ code: 'EINVAL' })
    expect(unsharing.live).toBe(false)
  })
})

describe('an unshare by force', () => {
  it('aborts what runs, and overtakes one in order, which has then happened', async () => {
    const { unsharing, requests, log, inFlight, answer, refuse } = setUp()
    const reasons: unknown[] = []
    const working = inFlight.run(undefined, ({ signal }) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason))
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    })
    const orderly = unsharing.unshare({})
    const forced = unsharing.unshare({ force: true })
    await working
    expect(reasons).toMatchObject([{ code: 'ERR_GRANTS_UNSHARED' }])
    answer()
    await forced
    if (requests.length > 0) refuse('ERR_GRANTS_UNSHARED')
    await orderly
    expect(log.filter((entry) => entry.startsWith('gave back'))).toEqual(['gave back by force'])
  })

  it('that the device worker carries out first leaves nothing to do for one in order', async () => {
    for (const refused of [false, true]) {
      const { unsharing, requests, log, answer, refuse } = setUp()
      const [orderly, forced] = [unsharing.unshare({}), unsharing.unshare({ force: true })]
      requests.reverse()
      answer()
      await forced
      if (refused) refuse('ERR_GRANTS_UNSHARED')
      else answer()
      await orderly
      expect(log.filter((entry) => entry !== 'ended')).toEqual(['gave back by force'])
    }
  })

  it('of what others have taken by force is no failure', async () => {
    const { unsharing, log, refuse } = setUp()
    const forced = unsharing.unshare({ force: true })
    refuse('ERR_GRANTS_UNSHARED')
    await forced
    expect(log).toEqual(['ended'])
  })
})

describe('a lease', () => {
  it('is returned once, however often that is asked for', async () => {
    const { unsharing, requests, answer, log } = setUp(false)
    const asked = [unsharing.unshare({}), unsharing.unshare({}), unsharing.unshare({ force: true })]
    await turn()
    expect(requests.map(({ op }) => op)).toEqual([Op.detach])
    answer()
    await Promise.all(asked)
    await unsharing.unshare({})
    expect([requests, log]).toEqual([[], ['ended']])
  })

  it('of what was taken away while work ended is not returned', async () => {
    const { unsharing, requests, inFlight, log } = setUp(false)
    const reason = new GrantError('ERR_GRANTS_UNSHARED', 'taken')
    const working = inFlight
      .run(undefined, ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)))
      .catch(() => {})
    const left = unsharing.unshare({})
    unsharing.revoked(reason)
    unsharing.revoked(new GrantError('ERR_GRANTS_CLOSED', 'later'))
    await Promise.all([working, left])
    expect([requests, log]).toEqual([[], ['ended']])
    expect(() => unsharing.mustBeLive()).toThrow(reason)
  })

  it('is gone also when the line that it was of is lost', async () => {
    const { unsharing, refuse } = setUp(false)
    const left = unsharing.unshare({})
    await turn()
    refuse('ERR_GRANTS_WORKER_DIED')
    await left
  })
})

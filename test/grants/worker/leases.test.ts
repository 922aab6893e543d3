import { describe, expect, it } from 'vitest'
import { Op, UnshareFlag } from '../../../dist/src/grants/grant-messages.js'
import { startActor, turn } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'

function start() {
  const device = new FakeDevice()
  const world = startActor(device)
  return { device, own: () => device.used - world.actor.stats().reserve, ...world }
}

describe('a grant that others hold', () => {
  it('stays mapped until the last lease is returned', async () => {
    const { device, client } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    two.ask(Op.attach, id)
    await two.send()
    const unshare = one.ask(Op.unshare, id)
    await one.send()
    for (const fate of ['waiting', 'ok']) {
      two.ask(Op.detach, id)
      await two.send()
      expect([one.fates([unshare])[0], device.mapped.size]).toEqual([fate, fate === 'ok' ? 0 : 1])
    }
  })

  it('is not left mapped-looking when its unshare is withdrawn in the turn of the last detach', async () => {
    const { device, client } = start()
    // A turn takes the requests of the older client first.
    const [two, one] = [client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    await two.send()
    const unshare = one.ask(Op.unshare, id)
    await one.send()
    two.ask(Op.detach, id)
    one.ask(Op.cancel, unshare)
    await Promise.all([two.send(), one.send()])
    // Too late to withdraw: an answer that says "still yours" would be of memory that is gone.
    expect([one.fates([unshare]), device.mapped.size]).toEqual([['ok'], 0])
  })

  it('is withdrawn from unsharing in time, and stays usable', async () => {
    const { device, client } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    await two.send()
    const unshare = one.ask(Op.unshare, id)
    await one.send()
    one.ask(Op.cancel, unshare)
    await one.send()
    two.ask(Op.detach, id)
    await two.send()
    const use = one.ask(Op.setUnmapNotify, id, 0, 1)
    await one.send()
    expect([one.fates([unshare, use]), device.mapped.size]).toEqual([['ABORT_ERR', 'ok'], 1])
  })

  it('goes at once by force, and those who hold it are told after the answer that gave it to them', async () => {
    const { client, actor, own } = start()
    // A turn takes the requests of the older client first.
    const [two, one] = [client(), client()]
    const id = await one.share(7, 1)
    const attach = two.ask(Op.attach, id)
    two.submit()
    one.ask(Op.unshare, id, UnshareFlag.force)
    await one.send()
    expect([own(), actor.stats().grants]).toEqual([0, 0])
    expect(two.heard).toEqual(['welcome', attach, 'revoked'])
    const late = two.ask(Op.detach, id)
    await two.send()
    expect(two.fates([late])).toEqual(['ok'])
  })
})

describe('a forced end that fails while others hold the grant', () => {
  it('leaves it theirs, and goes in order when the last of them lets go', async () => {
    const { device, client, own } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    await two.send()
    const orderly = one.ask(Op.unshare, id)
    await one.send()
    device.failNext('munmap', 'EINVAL')
    const forced = one.ask(Op.unshare, id, UnshareFlag.force)
    await one.send()
    expect(one.fates([orderly, forced])).toEqual(['waiting', 'EINVAL'])
    expect(two.heard).not.toContain('revoked')
    two.ask(Op.detach, id)
    await two.send()
    expect([one.fates([orderly]), own()]).toEqual([['ok'], 0])
  })

  it('goes in order when the last lease has come back in the same turn', async () => {
    const { device, client, own } = start()
    // A turn takes the requests of the older client first.
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    await two.send()
    const orderly = one.ask(Op.unshare, id)
    await one.send()
    device.failNext('munmap', 'EINVAL')
    const forced = one.ask(Op.unshare, id, UnshareFlag.force)
    two.ask(Op.detach, id)
    await Promise.all([one.send(), two.send()])
    expect([one.fates([orderly, forced]), own()]).toEqual([['ok', 'EINVAL'], 0])
  })

  it('is tried once more when a close has asked for it', async () => {
    const { actor, device, client, own } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    await two.send()
    device.failNext('munmap', 'EINVAL')
    await actor.close(true)
    expect([own(), device.mapped.size, device.closed]).toEqual([0, 0, true])
  })
})

describe('the grant of a client that is gone', () => {
  it('stays with those who have attached, and goes with the last of them, however often that fails', async () => {
    const { device, client, own, errors } = start()
    const [one, two, three] = [client(), client(), client()]
    const id = await one.share(7, 2)
    for (const each of [two, three]) {
      each.ask(Op.attach, id)
      await each.send()
    }
    one.end()
    await turn()
    two.end()
    await turn()
    expect([own(), device.mapped.size]).toEqual([2, 1])
    for (let i = 0; i < 3; i++) device.failNext('munmap', 'EINVAL')
    three.ask(Op.detach, id)
    await three.send()
    for (let turns = 0; turns < 3; turns++) {
      expect(own()).toBe(2)
      three.ask(Op.cancel, 0)
      await three.send()
    }
    expect([own(), device.mapped.size, errors.length]).toEqual([0, 0, 1])
  })
})

describe('a grant whose memory is gone, but not its pages', () => {
  it('is attached to by no one, and given back by another unshare', async () => {
    const { device, client, own } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    device.failNext('deallocate', 'EINVAL')
    const first = one.ask(Op.unshare, id)
    await one.send()
    const attach = two.ask(Op.attach, id)
    await two.send()
    expect([one.fates([first]), two.fates([attach]), own()]).toEqual([['EINVAL'], ['ERR_GRANTS_UNSHARED'], 1])
    const again = one.ask(Op.unshare, id)
    await one.send()
    expect([one.fates([again]), own()]).toEqual([['ok'], 0])
  })
})

describe('an unshare by force', () => {
  it('answers the orderly one that it overtakes, and tells all that hold the grant but its caller', async () => {
    const { client } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    one.ask(Op.attach, id)
    await one.send()
    two.ask(Op.attach, id)
    await two.send()
    const orderly = one.ask(Op.unshare, id)
    await one.send()
    const forced = one.ask(Op.unshare, id, UnshareFlag.force)
    await one.send()
    expect(one.fates([orderly, forced])).toEqual(['ok', 'ok'])
    expect([one.heard, two.heard].map((heard) => heard.filter((what) => what === 'revoked').length)).toEqual([
      0, 1,
    ])
  })
})

describe('leases of one client', () => {
  it('are counted, those of the thread that shared it too', async () => {
    const { client, own } = start()
    const one = client()
    const id = await one.share(7, 1)
    one.ask(Op.attach, id)
    one.ask(Op.attach, id)
    await one.send()
    one.ask(Op.detach, id)
    await one.send()
    const unshare = one.ask(Op.unshare, id)
    await one.send()
    expect(one.fates([unshare])).toEqual(['waiting'])
    one.ask(Op.detach, id)
    await one.send()
    expect([one.fates([unshare]), own()]).toEqual([['ok'], 0])
  })

  it('all go with it', async () => {
    const { client, own } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 1)
    for (let i = 0; i < 3; i++) two.ask(Op.attach, id)
    await two.send()
    const unshare = one.ask(Op.unshare, id)
    await one.send()
    two.end()
    await turn()
    expect([one.fates([unshare]), own()]).toEqual([['ok'], 0])
  })

  it('that it does not have are returned in vain', async () => {
    const { client, device } = start()
    const [one, two, three] = [client(), client(), client()]
    const id = await one.share(7, 1)
    two.ask(Op.attach, id)
    await two.send()
    const unshare = one.ask(Op.unshare, id)
    await one.send()
    const wrong = [three.ask(Op.detach, id), one.ask(Op.detach, id)]
    await three.send()
    await one.send()
    expect([three.fates(wrong.slice(0, 1)), one.fates([unshare]), device.mapped.size]).toEqual([
      ['ok'],
      ['waiting'],
      1,
    ])
  })
})

describe('a client that is gone', () => {
  it.each(['munmap', 'deallocate', 'setUnmapNotify'] as const)(
    'has its grants given back even when %s fails at first, which is reported once',
    async (call) => {
      const { device, client, errors, own } = start()
      const [one, two] = [client(), client()]
      await one.share(7, 3)
      // What is armed fires when a client dies, so nothing is disarmed.
      if (call !== 'setUnmapNotify') device.failNext(call, 'EINVAL')
      if (call === 'munmap') device.failNext(call, 'EINVAL')
      one.end()
      await turn()
      two.ask(Op.cancel, 0)
      await two.send()
      expect(errors.map(({ code }) => code)).toEqual(call === 'setUnmapNotify' ? [] : ['EINVAL'])
      expect([own(), device.mapped.size]).toEqual([0, 0])
    },
  )

  it('leaves nothing that could be attached to while it is tried again', async () => {
    const { device, client } = start()
    const [one, two] = [client(), client()]
    const id = await one.share(7, 3)
    for (let i = 0; i < 3; i++) device.failNext('munmap', 'EINVAL')
    one.end()
    const attach = two.ask(Op.attach, id)
    await two.send()
    expect(two.fates([attach])).toEqual(['ERR_GRANTS_UNSHARED'])
  })
})

describe('close', () => {
  it.each([
    ['in order', false, 'munmap'],
    ['by force', true, 'munmap'],
    ['by force', true, 'deallocate'],
  ] as const)('%s leaves nothing mapped when one call fails (force: %s, %s)', async (_name, force, call) => {
    const { actor, device, client } = start()
    const one = client()
    for (const pages of [1, 2, 3]) await one.share(7, pages)
    device.failNext(call, 'EINVAL')
    if (!force) one.end()
    await actor.close(force)
    expect([device.closed, device.mapped.size]).toEqual([true, 0])
  })
})

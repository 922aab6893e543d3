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

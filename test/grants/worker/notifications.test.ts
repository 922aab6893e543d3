import { describe, expect, it } from 'vitest'
import { UNMAP_NOTIFY_CLEAR_BYTE as CLEAR, UNMAP_NOTIFY_SEND_EVENT as SEND } from '../../../dist/src/abi.js'
import { Op, UnshareFlag } from '../../../dist/src/grants/grant-messages.js'
import { startActor, turn } from '../../setup/actor.js'
import { FakeDevice } from '../../setup/fake-device.js'

const PAGE = 4096

/** A grant of three pages, and what is set on it from then on: where, from its first byte on, and which action. */
async function setUp() {
  const device = new FakeDevice()
  const { actor, client } = startActor(device)
  const one = client()
  const id = await one.share(7, 3)
  const start =
    Number(
      device
        .taken()
        .findLast((call) => call.startsWith('mmap'))!
        .split(' ')[1],
    ) * PAGE
  const settings = (): [number, number][] =>
    device
      .taken()
      .filter((call) => call.startsWith('setUnmapNotify'))
      .map((call) => call.split(' ').slice(1).map(Number))
      .map(([index, action]) => [index! - start, action!])
  const arm = (offset: number, action: number = CLEAR) => one.ask(Op.setUnmapNotify, id, offset, action, 5)
  return { actor, client, one, id, arm, settings }
}

describe('an orderly end of a grant', () => {
  it('disarms each page that is armed, at the byte that was named last, and no other', async () => {
    const { one, id, arm, settings } = await setUp()
    arm(9)
    arm(2 * PAGE + 1, SEND)
    arm(2 * PAGE + 4)
    arm(PAGE + 1)
    arm(PAGE + 1, 0)
    await one.send()
    settings()
    one.ask(Op.unshare, id)
    await one.send()
    expect(settings()).toEqual([
      [9, 0],
      [2 * PAGE + 4, 0],
    ])
  })

  it('disarms by force as well, but nothing when it is to fire', async () => {
    for (const [flags, expected] of [
      [UnshareFlag.force, [[3, 0]]],
      [UnshareFlag.fireNotify, []],
      [UnshareFlag.force | UnshareFlag.fireNotify, []],
    ] as const) {
      const { one, id, arm, settings } = await setUp()
      arm(3)
      await one.send()
      settings()
      one.ask(Op.unshare, id, flags)
      await one.send()
      expect(settings(), `flags ${flags}`).toEqual(expected)
    }
  })
})

describe('the end of a client', () => {
  it('lets fire what it has armed, as a crash does', async () => {
    const { actor, one, arm, settings } = await setUp()
    arm(3)
    await one.send()
    settings()
    one.end()
    await turn()
    expect([settings(), actor.stats().grants]).toEqual([[], 0])
  })

  it('that had wanted its pages back in order lets nothing fire when the last holder goes', async () => {
    const { client, one, id, arm, settings } = await setUp()
    const two = client()
    arm(3)
    await one.send()
    two.ask(Op.attach, id)
    await two.send()
    one.ask(Op.unshare, id)
    await one.send()
    one.end()
    settings()
    two.ask(Op.detach, id)
    await two.send()
    expect(settings()).toEqual([[3, 0]])
  })
})

describe('a setting that is refused', () => {
  it.each([
    ['beyond the grant', 3 * PAGE],
    ['far beyond it', Number.MAX_SAFE_INTEGER],
  ])('%s asks nothing of the driver', async (_name, offset) => {
    const { one, arm, settings } = await setUp()
    const request = arm(offset)
    await one.send()
    expect([one.fates([request]), settings()]).toEqual([['ERR_GRANTS_PROTOCOL'], []])
  })

  it("of another client's grant asks nothing of the driver", async () => {
    const { client, id, settings } = await setUp()
    const two = client()
    const request = two.ask(Op.setUnmapNotify, id, 0, CLEAR)
    await two.send()
    expect([two.fates([request]), settings()]).toEqual([['ERR_GRANTS_PROTOCOL'], []])
  })
})

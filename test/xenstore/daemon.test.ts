import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { XenStore } from 'xen-grants/xenstore'
import { rejection } from '../setup/xen.js'

interface Daemon {
  socket: string
  liveUpdate(): Promise<void>
  kill(): Promise<void>
  stop(): Promise<void>
}
const { startXenstored, whyNot }: { startXenstored(): Promise<Daemon>; whyNot(): string | undefined } =
  await import(new URL('../xenstored/daemon.mjs', import.meta.url).href)
const reason = whyNot()

describe.skipIf(reason)(`a real xenstored${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let daemon: Daemon
  beforeEach(async () => {
    daemon = await startXenstored()
  })
  afterEach(() => daemon?.stop())

  it('that is updated while it runs loses transactions, which are repeated, and no watch', async () => {
    await using store = await XenStore.open({ path: daemon.socket })
    await store.write('/test/n', '1')
    const watch = store.watch('/test')
    await watch.next()
    const seen: number[] = []
    await store.transaction(async (t) => {
      const n = await t.readInt('/test/n')
      seen.push(n)
      if (seen.length === 1) await daemon.liveUpdate()
      // In the forgotten one this is refused with ENOENT, as if there were no parent.
      await t.write('/test/n', String(n + 1))
    })
    expect([seen, await store.readInt('/test/n')]).toEqual([[1, 1], 2])
    expect((await watch.next()).value).toEqual({ path: '/test/n', initial: false })
  })

  it('that dies is told to everybody, and cannot be reached any more', async () => {
    const store = await XenStore.open({ path: daemon.socket })
    const watch = store.watch('/test')
    await watch.next()
    const waiting = rejection(watch.next())
    const transaction = rejection(
      store.transaction(async (t) => {
        await daemon.kill()
        await t.write('/test', '')
      }),
    )
    expect(await waiting).toMatchObject({ code: 'ECONNRESET', operation: 'watch' })
    expect(await transaction).toMatchObject({ name: 'XenStoreError', code: 'ECONNRESET' })
    expect(await store.closed).toMatchObject({ code: 'ECONNRESET' })
    await store.close()
    // It closes what it had connected to before what it listened on.
    await daemon.kill()
    expect(await rejection(XenStore.open({ path: daemon.socket }))).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('takes a hundred connections at once, though it lets one wait', async () => {
    const stores = await Promise.all(
      Array.from({ length: 100 }, () => XenStore.open({ path: daemon.socket })),
    )
    expect(await Promise.all(stores.map((store) => store.exists('/')))).toEqual(stores.map(() => true))
    await Promise.all(stores.map((store) => store.close()))
  })
})

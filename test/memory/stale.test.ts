// Views that have outlived their grants, used as if nothing had happened, while memory comes and goes around them.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Grant, GrantClient, GrantServer } from 'xen-grants'
import { ClientThread } from '../setup/client-thread.js'
import { useXen } from '../setup/xen.js'
import { rounds } from './trial.js'

const ROUNDS = rounds(15, 50)
const TOUCHES = 2000 * ROUNDS

const world = useXen()
const module = new URL('../fixtures/filler.mjs', import.meta.url)
let server: GrantServer
let witnesses: Grant[]

beforeEach(async () => {
  server = await GrantServer.open({ device: world.xen, fillers: { threads: 1 } })
  witnesses = await Promise.all([1, 2, 3].map((pages) => server.share({ domid: 8, pages })))
  for (const [i, { bytes }] of witnesses.entries()) bytes.fill(i + 1)
})
afterEach(async () => {
  for (const [i, { bytes }] of witnesses.entries()) expect(bytes.every((byte) => byte === i + 1)).toBe(true)
  await server.close()
})

/** Mappings are made and dropped in the places where others were. What is new is zero: nobody has written to it. */
async function churn(pages = 8): Promise<void> {
  const fresh = await Promise.all(Array.from({ length: 8 }, () => server.share({ domid: 7, pages })))
  for (const { bytes } of fresh) expect(bytes.every((byte) => byte === 0)).toBe(true)
  await Promise.all(fresh.map((grant, i) => grant.unshare({ force: i % 2 === 0 })))
}

function touch(views: Uint8Array[], count: number): void {
  for (let i = 0; i < count; i++) views[i % views.length]![i % 4096] = 0xee
}

it(`${TOUCHES} writes in the thread of the server reach nothing`, async () => {
  const views: Uint8Array[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const grants = await Promise.all([1, 2].map((pages) => server.share({ domid: 7, pages })))
    views.push(...grants.map(({ bytes }) => bytes), new Uint8Array(grants[0]!.bytes.buffer))
    await Promise.all(grants.map((grant, i) => grant.unshare({ force: i === round % 2 })))
    for (const view of views.slice(-3)) expect(view.every((byte) => byte === 0)).toBe(true)
    const churning = churn()
    touch(views, TOUCHES / ROUNDS)
    await churning
  }
})

it(`${TOUCHES} writes in another client of the same thread reach nothing`, async () => {
  await using client = await GrantClient.connect(server.connect())
  const views: Uint8Array[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const grant = await server.share({ domid: 7, pages: 1 })
    const attached = await client.attach(grant.handle())
    views.push(attached.bytes)
    if (round % 2 === 0) await attached.unshare()
    await grant.unshare({ force: true })
    const churning = churn()
    touch(views, TOUCHES / ROUNDS)
    await churning
  }
})

it(`${TOUCHES} writes in another thread reach nothing`, async () => {
  const thread = await ClientThread.connected(server.connect())
  for (let round = 0; round < ROUNDS; round++) {
    const grant = await server.share({ domid: 7, pages: 1 })
    await thread.do('attach', grant.handle())
    await grant.unshare({ force: true })
    const { id } = await thread.do('share', { domid: 7, pages: 1 })
    await thread.do('unshare', [id])
    const touching = thread.do('touch', TOUCHES / ROUNDS)
    await churn()
    expect(await touching).toBe(2 * (round + 1))
  }
  await thread.end('terminate')
})

it(`${TOUCHES} writes in a filler reach nothing`, async () => {
  const witness = witnesses[0]!
  for (let round = 0; round < ROUNDS; round++) {
    const grant = await server.share({ domid: 7, pages: 1 })
    await grant.run(module, { args: { do: 'keep' } })
    await grant.unshare({ force: round % 2 === 0 })
    const running = witness.run(module, { args: { do: 'touch', count: TOUCHES / ROUNDS } })
    await churn()
    await running
  }
})

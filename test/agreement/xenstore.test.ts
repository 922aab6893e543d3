import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import type { StoreMessage } from '../../src/drivers/xenbus/wire.js'
import { seedOf } from './seed.mjs'

interface Daemon {
  socket: string
  ring(domid: number): string
  stop(): Promise<void>
}

interface Harness extends Daemon {
  setDomain(domid: number, state: string): void
  removeDomain(domid: number): void
}

interface Agreement {
  agreeOnStore(
    startOther: () => Promise<object>,
    options: {
      seed: number
      requests: number
      length: number
      flavour?: 'c' | 'ocaml'
      simulated?: () => object
      shrinkingMs?: number
    },
  ): Promise<{ requests: number; sequences: number }>
}

interface Worlds {
  SimulatedStore: new (flavour?: 'c' | 'ocaml', daemon?: unknown) => object
  RealStore: { start(harness: Harness): Promise<object> }
}

interface Native {
  whyNot(rules: 'C' | 'ox'): string | undefined
  startXenstored(rules: 'C' | 'ox'): Promise<Daemon>
}

const load = (name: string) => import(new URL(name, import.meta.url).href)
const { agreeOnStore }: Agreement = await load('./xenstore-agreement.mjs')
const { SimulatedStore, RealStore }: Worlds = await load('./xenstore-worlds.mjs')
const { whyNot, startXenstored }: Native = await load('../xenstored/daemon.mjs')
const { MessageType } = await import('../../dist/src/drivers/xenbus/wire.js')
const { Xenstored } = await import('../../dist/src/simulated/kernel/xenstore/xenstored.js')

const seed = seedOf(process.env)
const requests = Number(process.env.XEN_GRANTS_REQUESTS || 1000)

/** The unmodified daemon of Debian, where it can run. */
async function startReal(rules: 'C' | 'ox'): Promise<object> {
  const daemon = await startXenstored(rules)
  const state = (domid: number) => join(dirname(daemon.socket), `dom-${domid}`)
  return RealStore.start({
    socket: daemon.socket,
    ring: (domid) => daemon.ring(domid),
    setDomain: (domid, text) => writeFileSync(state(domid), text),
    removeDomain: (domid) => rmSync(state(domid)),
    stop: () => daemon.stop(),
  })
}

const daemons = [
  { name: 'xenstored', flavour: 'c', rules: 'C' },
  { name: 'oxenstored', flavour: 'ocaml', rules: 'ox' },
] as const

for (const { name, flavour, rules } of daemons) {
  const skip = whyNot(rules)
  const title = `the simulated ${name} does what the real one does${skip ? ` (skipped: ${skip})` : ''}`
  it.skipIf(skip)(title, { timeout: 60_000 + requests * 60 }, async () => {
    const options = { seed, requests, length: 250, flavour }
    const done = await agreeOnStore(() => startReal(rules), options)
    console.log(`XEN_GRANTS_SEED=${seed}: ${done.requests} requests in ${done.sequences} sequences`)
    expect(done.requests).toBeGreaterThanOrEqual(requests)
  })
}

type Change = (message: StoreMessage) => Partial<StoreMessage>

/** A xenstored that carries out another request than it was sent. */
function mistaken(change: Change): unknown {
  return class extends Xenstored {
    override receive(...[client, message]: Parameters<InstanceType<typeof Xenstored>['receive']>): void {
      super.receive(client, { ...message, ...change(message) })
    }
  }
}

const mistakes: Record<string, unknown> = {
  'makes a node empty that is made again': mistaken(({ type }) =>
    type === MessageType.mkdir ? { type: MessageType.write } : {},
  ),
  'commits nothing': mistaken(({ type, payload }) =>
    type === MessageType.transactionEnd && payload.toString() === 'T\0'
      ? { payload: Buffer.from('F\0') }
      : {},
  ),
  'keeps what a dead domain owned': class extends Xenstored {
    override domainDied(): void {}
  },
  'lets a guest do everything': class extends Xenstored {
    override connect(...[domid, transport]: Parameters<InstanceType<typeof Xenstored>['connect']>) {
      return super.connect(domid === 6 ? 0 : domid, transport)
    }
  },
}

it.each(Object.entries(mistakes))('one that %s is found out, in a few steps', async (_what, daemon) => {
  const options = {
    // One of those that find each soon.
    seed: 10,
    requests: 20_000,
    length: 100,
    simulated: () => new SimulatedStore('c', daemon),
    shrinkingMs: 0,
  }
  const error: Error = await agreeOnStore(async () => new SimulatedStore(), options).then(
    () => new Error('nothing was found'),
    (disagreement) => disagreement,
  )
  expect(error.message).toMatch(/the simulation says .* the device says/)
  expect(error.message).toContain('XEN_GRANTS_SEED=10 ')
  // The first 18 are how every sequence begins.
  expect(error.message.split('\n').length - 18, error.message).toBeLessThan(14)
})

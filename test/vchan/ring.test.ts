// The two indexes and the two bits of a ring, without threads: against a queue, and with every order in which the steps of
// both ends can come. XEN_GRANTS_SEED=n repeats a run, XEN_GRANTS_ROUNDS=n takes so many steps with each size.
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import type { VchanEnd } from '../../src/vchan/end.js'
import { Inflow } from '../../src/vchan/inflow.js'
import { Notify, Page } from '../../src/vchan/layout.js'
import { Outflow } from '../../src/vchan/outflow.js'
import { endsInMemory } from './memory.js'
import { type Random, randomOf, SEED } from './random.js'

const ROUNDS = Number(process.env.XEN_GRANTS_ROUNDS ?? 500)

/** One direction: who fills, who empties, and what must be so, as a queue has it. */
class Model {
  readonly #writer: VchanEnd['writer']
  readonly #reader: VchanEnd['reader']
  readonly #random: Random
  /** Put, and not taken. */
  #queue = Buffer.alloc(0)
  #unpublished = 0
  /** Taken, without its writer's knowing. */
  #taken = 0
  #next = 0

  constructor(writer: VchanEnd['writer'], reader: VchanEnd['reader'], random: Random) {
    this.#writer = writer
    this.#reader = reader
    this.#random = random
  }

  step(): void {
    const { size } = this.#writer
    const most = this.#random(8) === 0 ? size + 10 : 1 + this.#random(size)
    const steps = [
      () => this.#put(this.#random(most)),
      () => this.#take(this.#random(most)),
      () => this.#publish(),
      () => this.#giveRoom(),
    ]
    steps[this.#random(steps.length)]!()
    this.#check()
  }

  #put(length: number): void {
    const from = this.#random(3) === 0 ? this.#random(length) : 0
    const chunk = Buffer.alloc(length, `${this.#next++} `)
    const room = this.#writer.space()
    const count = this.#writer.put(chunk, from)
    expect(count).toBe(Math.min(room, length - from))
    this.#queue = Buffer.concat([this.#queue, chunk.subarray(from, from + count)])
    this.#unpublished += count
  }

  #take(most: number): void {
    const count = Math.min(most, this.#reader.ready())
    if (count === 0) return
    const taken = this.#reader.take(count)
    expect(taken.equals(this.#queue.subarray(0, count))).toBe(true)
    this.#queue = this.#queue.subarray(count)
    this.#taken += count
  }

  #publish(): void {
    expect(this.#writer.publish()).toBe(this.#unpublished > 0)
    this.#unpublished = 0
  }

  #giveRoom(): void {
    expect(this.#reader.unpublished).toBe(this.#taken)
    expect(this.#reader.publish()).toBe(this.#taken > 0)
    this.#taken = 0
  }

  #check(): void {
    const there = this.#queue.length
    expect(this.#reader.ready()).toBe(there - this.#unpublished)
    expect(this.#writer.space()).toBe(this.#writer.size - there - this.#taken)
    expect(this.#writer.empty()).toBe(there + this.#taken === 0)
  }
}

describe(`a ring (seed ${SEED})`, () => {
  const sizes = [10, 11, 12, 16].flatMap((order) =>
    [0, 1, 0x7fff_fff0, 0xffff_fff0].map((start) => [2 ** order, start] as const),
  )
  it.each(sizes)('of %d bytes whose indexes begin at %d carries bytes as a queue does', (size, start) => {
    const random = randomOf(SEED + size + start)
    const { server, client } = endsInMemory(Math.log2(size), start)
    const models = [
      new Model(server.writer, client.reader, random),
      new Model(client.writer, server.reader, random),
    ]
    for (let round = 0; round < Math.min(ROUNDS, (1 << 22) / size); round++) models[random(2)]!.step()
  })
})

/** What the real end does not know of: at each of its steps the other one may have taken some of its own. */
type Step = () => void

/**
 * Runs `scene` once for every way in which the steps of the other end can come between those of this end.
 * @param scene is given what is to be called before each step of this end, and the steps of the other
 * @returns how many ways there are
 */
function everyOrder(scene: (between: Step, finish: Step, play: (steps: Step[]) => void) => void): number {
  /** How many steps of the other end come at each point; then how many there could have been. */
  let plan: number[] = []
  for (let ways = 1; ; ways++) {
    const limits: number[] = []
    let waiting: Step[] = []
    const between = (): void => {
      const at = limits.length
      limits.push(waiting.length)
      plan[at] ??= 0
      for (const step of waiting.splice(0, plan[at])) step()
    }
    const finish = (): void => {
      for (const step of waiting.splice(0)) step()
    }
    scene(between, finish, (steps) => {
      waiting = [...steps]
    })
    // The next plan: the last point at which more could have come.
    plan = plan.slice(0, limits.length)
    while (plan.length > 0 && plan.at(-1) === limits[plan.length - 1]) plan.pop()
    if (plan.length === 0) return ways
    plan[plan.length - 1]!++
  }
}

/** An end whose every look at shared memory, and every change of it, is a step. */
function stepwise(end: VchanEnd, between: Step): VchanEnd {
  const step = <T extends object>(target: T, names: readonly string[]): T =>
    new Proxy(target, {
      get(_, name) {
        if (names.includes(String(name))) between()
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const parts = {
    reader: step(end.reader, ['ready', 'take', 'publish']),
    writer: step(end.writer, ['space', 'empty', 'put', 'publish']),
  }
  const rest = step(end, ['ask', 'owes'])
  return new Proxy(rest, { get: (target, name) => Reflect.get(name in parts ? parts : target, name) })
}

describe('in every order of the steps of both ends', () => {
  it('a reader that goes to sleep is woken by what is written, or has seen it', () => {
    const ways = everyOrder((between, finish, play) => {
      const { server, client } = endsInMemory(10)
      let events = 0
      const write = (byte: number): Step[] => [
        () => client.writer.put(Uint8Array.of(byte), 0),
        () => client.writer.publish(),
        () => {
          if (client.owes(Notify.written)) events++
        },
      ]
      const taken: number[] = []
      let later = false
      const inflow = new Inflow(stepwise(server, between), {
        push: (chunk: Buffer) => taken.push(...chunk) > 0,
        notify: () => {},
        later: () => {
          later = true
        },
      })
      // Of this end only what has been asked for in this scene counts.
      client.owes(Notify.written)
      play([...write(1), ...write(2)])
      inflow.want()
      if (later) {
        later = false
        inflow.read()
      }
      // As a stream does, whatever has come meanwhile.
      inflow.want()
      finish()
      // What an event does, or the turn that has been asked for.
      if (events > 0 || later) inflow.read()
      if (taken.length !== 2) expect.fail(`asleep with ${taken.length} of 2 bytes after ${events} events`)
    })
    expect(ways).toBeGreaterThan(500)
  })

  it('a writer that waits for room is woken when there is some, or has seen it', () => {
    const ways = everyOrder((between, finish, play) => {
      const { server, client } = endsInMemory(10)
      let events = 0
      const read = (count: number): Step[] => [
        () => void client.reader.take(Math.min(count, client.reader.ready())),
        () => void client.reader.publish(),
        () => {
          if (client.owes(Notify.read)) events++
        },
      ]
      let written = false
      const outflow = new Outflow(stepwise(server, between), {
        notify: () => {},
        later: () => expect.unreachable(),
      })
      server.writer.put(new Uint8Array(1024), 0)
      server.writer.publish()
      play([...read(300), ...read(400)])
      outflow.begin([new Uint8Array(700)], () => {
        written = true
      })
      outflow.fill()
      finish()
      if (events > 0) outflow.fill()
      if (!written) expect.fail(`asleep with room after ${events} events`)
    })
    expect(ways).toBeGreaterThan(500)
  })

  it('an end that waits until all is taken is woken when it is, or has seen it', () => {
    everyOrder((between, finish, play) => {
      const { server, client } = endsInMemory(10)
      let events = 0
      const outflow = new Outflow(stepwise(server, between), { notify: () => {}, later: () => {} })
      server.writer.put(new Uint8Array(9), 0)
      server.writer.publish()
      play([
        () => void client.reader.take(client.reader.ready()),
        () => void client.reader.publish(),
        () => {
          if (client.owes(Notify.read)) events++
        },
      ])
      const seen = outflow.allTaken()
      finish()
      if (!seen && !(events > 0 && outflow.allTaken())) expect.fail('asleep with nothing to wait for')
    })
  })
})

describe('a writer', () => {
  it('stops after some turns of a reader that takes byte after byte, and goes on later', () => {
    const { server, client } = endsInMemory(10)
    let steps = 0
    // Frees a byte whenever the writer looks.
    const slow = stepwise(server, () => {
      steps++
      if (client.reader.ready() === 0) return
      client.reader.take(1)
      client.reader.publish()
    })
    let later = 0
    let done = false
    const outflow = new Outflow(slow, { notify: () => {}, later: () => later++ })
    outflow.begin([new Uint8Array(1 << 20)], () => {
      done = true
    })
    outflow.fill()
    expect([later, done]).toEqual([1, false])
    expect(steps).toBeLessThan(10_000)
  })
})

describe('a reader', () => {
  it('stops after some turns of a writer that writes byte after byte, and goes on later', () => {
    const { server, client } = endsInMemory(10)
    let steps = 0
    const slow = stepwise(server, () => {
      if (++steps > 100_000) return
      client.writer.put(Uint8Array.of(1), 0)
      client.writer.publish()
    })
    let later = 0
    const inflow = new Inflow(slow, { push: () => true, notify: () => {}, later: () => later++ })
    inflow.want()
    later = 0
    inflow.read()
    expect(later).toBe(1)
    expect(steps).toBeLessThan(10_000)
  })

  it('is given what is there already in a turn of its own', () => {
    const { server, client } = endsInMemory(10)
    client.writer.put(Uint8Array.of(1), 0)
    client.writer.publish()
    const taken: number[] = []
    let later = 0
    const push = (chunk: Buffer): boolean => taken.push(...chunk) > 0
    const inflow = new Inflow(server, { push, notify: () => {}, later: () => later++ })
    inflow.want()
    expect([later, taken]).toEqual([1, []])
    inflow.read()
    expect(taken).toEqual([1])
  })

  it('that did not want what has come gets it when it does', () => {
    const { server, client } = endsInMemory(10)
    const taken: number[] = []
    let later = 0
    const push = (chunk: Buffer): boolean => taken.push(...chunk) > 1
    const inflow = new Inflow(server, { push, notify: () => {}, later: () => later++ })
    inflow.want()
    for (const byte of [1, 2]) {
      client.writer.put(Uint8Array.of(byte), 0)
      client.writer.publish()
      inflow.read()
    }
    expect([later, taken]).toEqual([0, [1]])
    inflow.want()
    expect(later).toBe(1)
    inflow.read()
    expect(taken).toEqual([1, 2])
  })

  it('wants more after a listener has thrown', () => {
    const { server, client } = endsInMemory(10)
    const taken: number[] = []
    const push = (chunk: Buffer): boolean => {
      if (taken.push(...chunk) === 2) throw new Error('of the listener')
      return true
    }
    const inflow = new Inflow(server, { push, notify: () => {}, later: () => {} })
    inflow.want()
    client.writer.put(Uint8Array.of(1, 2), 0)
    client.writer.publish()
    expect(() => inflow.read()).toThrow('of the listener')
    client.writer.put(Uint8Array.of(3), 0)
    client.writer.publish()
    inflow.read()
    expect(taken).toEqual([1, 2, 3])
  })

  it('that is stopped by who takes its last bytes has told of them', () => {
    const { server, client } = endsInMemory(10)
    const inflow = new Inflow(server, {
      push: () => {
        inflow.stop()
        return true
      },
      notify: () => expect.unreachable(),
      later: () => {},
    })
    inflow.want()
    client.writer.put(Uint8Array.of(1), 0)
    client.writer.publish()
    inflow.read()
    expect(client.writer.empty()).toBe(true)
  })

  it('that drains takes what was there when it looked, and no more', () => {
    const { server, client } = endsInMemory(10)
    const write = (): void => {
      client.writer.put(Uint8Array.of(1), 0)
      client.writer.publish()
    }
    write()
    const inflow = new Inflow(server, {
      push: () => {
        write()
        return true
      },
      notify: () => {},
      later: () => expect.unreachable(),
    })
    inflow.drain()
    expect(inflow.bytes).toBe(1)
  })
})

describe('indexes that cannot be', () => {
  const refusal = expect.objectContaining({ code: 'ERR_GRANTS_PROTOCOL', domid: 5, path: '/x' })
  /** Of the server's: what the client moves. */
  const prod = Page.leftProd / 4
  const cons = Page.rightCons / 4

  it.each([
    ['beyond the ring', 1025],
    ['far beyond', 0x8000_0000],
    ['backwards', 9],
    ['far backwards', 0xffff_ffff],
  ])('are refused in a reader: %s', (_, index) => {
    const { server, words } = endsInMemory(10)
    words[prod] = 10
    expect(server.reader.ready()).toBe(10)
    words[prod] = index
    expect(() => server.reader.ready()).toThrow(refusal)
  })

  it('are refused in a reader beyond the room it has given, not what it has taken', () => {
    const { server, words } = endsInMemory(10)
    words[prod] = 1024
    server.reader.ready()
    server.reader.take(100)
    words[prod] = 1124
    expect(() => server.reader.ready()).toThrow(refusal)
    server.reader.publish()
    expect(server.reader.ready()).toBe(1024)
  })

  it.each([
    ['beyond what was published', 11],
    ['far beyond', 0x8000_0000],
    ['backwards', 3],
    ['far backwards', 0xffff_ffff],
  ])('are refused in a writer: %s', (_, index) => {
    const { server, words } = endsInMemory(10)
    server.writer.put(new Uint8Array(10), 0)
    server.writer.publish()
    server.writer.put(new Uint8Array(10), 0)
    words[cons] = 4
    expect(server.writer.space()).toBe(1024 - 16)
    words[cons] = index
    expect(() => server.writer.space()).toThrow(refusal)
  })

  it('are not read where they are our own', () => {
    const { server, client, words } = endsInMemory(10)
    client.writer.put(Uint8Array.of(1, 2, 3), 0)
    client.writer.publish()
    words[Page.leftCons / 4] = 0x1234_5678
    words[Page.rightProd / 4] = 0x1234_5678
    expect(server.reader.ready()).toBe(3)
    expect([...server.reader.take(2)]).toEqual([1, 2])
    server.reader.publish()
    expect(words[Page.leftCons / 4]).toBe(2)
    expect(server.writer.space()).toBe(1024)
    server.writer.put(Uint8Array.of(1), 0)
    server.writer.publish()
    expect(words[Page.rightProd / 4]).toBe(1)
  })
})

/**
 * The states of all ports of a simulated Xen, in memory that the host and all programs with event channels have mapped, so
 * that a program notifies and unmasks by itself, as a domain does with the event words that it shares with Xen.
 *
 * An open file has room for every port its domain may have. The address of a port is its number plus that of the first
 * of its file, and 0 is the address of none. What binds, connects and unbinds is the host alone; what notifies, unmasks
 * and takes may be any thread of any process, at any moment. So a state changes by one atomic operation, and an address
 * that was read a moment ago may by now be that of another port: that one gets an event too many, and loses none.
 */
export class EventTable {
  readonly #words: Int32Array

  /** @param words of {@link tableWords}, all zero at first */
  constructor(words: Int32Array) {
    this.#words = words
  }

  /** Whether a call that programs carry out themselves is to go by way of the host, which has been told to let it fail. */
  isOrdered(call: DirectCall): boolean {
    return (Atomics.load(this.#words, ORDERED) & (1 << directCalls.indexOf(call))) !== 0
  }

  order(call: DirectCall, ordered: boolean): void {
    const bit = 1 << directCalls.indexOf(call)
    if (ordered) Atomics.or(this.#words, ORDERED, bit)
    else Atomics.and(this.#words, ORDERED, ~bit)
  }

  /** Number of the ring of the file that a port belongs to; 0: it has been closed. */
  ringOf(address: number): number {
    return Atomics.load(this.#words, (address - (address % PORTS_PER_FILE)) * Field.words + Field.ring)
  }

  setRing(file: number, ring: number): void {
    Atomics.store(this.#words, firstAddress(file) * Field.words + Field.ring, ring)
  }

  /** A port that is unbound: from now on it fires. */
  bind(address: number): void {
    Atomics.store(this.#words, address * Field.words + Field.sent, 0)
    Atomics.store(this.#words, address * Field.words + Field.peer, 0)
    Atomics.or(this.#words, address * Field.words, BOUND)
  }

  /** The ring may still name it. */
  unbind(address: number): void {
    Atomics.and(this.#words, address * Field.words, QUEUED)
  }

  isBound(address: number): boolean {
    return (Atomics.load(this.#words, address * Field.words) & BOUND) !== 0
  }

  /** @param peer address of the other end, 0 for none */
  connect(address: number, peer: number): void {
    Atomics.store(this.#words, address * Field.words + Field.peer, peer)
  }

  /** @returns the address of the other end, 0 if there is none */
  peerOf(address: number): number {
    const peer = Atomics.load(this.#words, address * Field.words + Field.peer)
    return peer > 0 && peer < MAX_FILES * PORTS_PER_FILE ? peer : 0
  }

  /** Counts an event that is sent through a port. */
  count(address: number): void {
    Atomics.add(this.#words, address * Field.words + Field.sent, 1)
  }

  /** Events counted since it was bound. */
  sent(address: number): number {
    return Atomics.load(this.#words, address * Field.words + Field.sent) >>> 0
  }

  /** Lets a port fire; one that is masked, when it is unmasked. @returns whether it is to be put into its ring */
  raise(address: number): boolean {
    return this.#change(address, raised)
  }

  /** One that is not masked is left alone. @returns whether it is to be put into its ring */
  unmask(address: number): boolean {
    return this.#change(address, unmasked)
  }

  /** What a ring has named is delivered. @returns false if it has been taken or forgotten since it was put there */
  take(address: number): boolean {
    return (Atomics.and(this.#words, address * Field.words, ~QUEUED) & QUEUED) !== 0
  }

  /** Whatever rings have named of a file is forgotten. */
  takeAll(file: number): void {
    const first = firstAddress(file)
    for (let address = first + 1; address < first + PORTS_PER_FILE; address++) this.take(address)
  }

  /** Whether it has fired and was not taken. */
  isQueued(address: number): boolean {
    return (Atomics.load(this.#words, address * Field.words) & QUEUED) !== 0
  }

  /** @returns whether it is queued now and was not before */
  #change(address: number, next: (state: number) => number): boolean {
    const at = address * Field.words
    for (let before = Atomics.load(this.#words, at); ; ) {
      const after = next(before)
      if (after === before) return false
      const found = Atomics.compareExchange(this.#words, at, before, after)
      if (found === before) return (after & ~before & QUEUED) !== 0
      before = found
    }
  }
}

/** Calls that a program carries out itself, unless a failure of them is ordered. */
export const directCalls = ['evtchn.notify', 'evtchn.unmask', 'evtchn.read', 'evtchn.reset'] as const

export type DirectCall = (typeof directCalls)[number]

/** The numbers of ports begin at 1, so there is a place too many: the first one is the file's own. */
export const PORTS_PER_FILE = 1024

/** Files that can be open at once. File 0 is none: its first word says which failures are ordered. */
export const MAX_FILES = 1024

/** Words of a port, from that of its state. The ring is the file's, in the place of its port 0. */
const Field = { words: 4, sent: 1, peer: 2, ring: 3 } as const

const ORDERED = 0

export const BYTES_PER_FILE = PORTS_PER_FILE * Field.words * Int32Array.BYTES_PER_ELEMENT

/** @param files as many as can be open at once, and 1 */
export function tableWords(files = MAX_FILES): number {
  return files * PORTS_PER_FILE * Field.words
}

export function firstAddress(file: number): number {
  return file * PORTS_PER_FILE
}

/** The file that gets its events has it. Without that nothing else is true of it, except QUEUED. */
const BOUND = 1
/** It has fired and has not been unmasked since. */
const MASKED = 2
/** It was raised while masked. However often: that is one event. */
const PENDING = 4
/** It has fired, and its event has not been taken. Its ring names it, or is just about to. */
const QUEUED = 8

function raised(state: number): number {
  if ((state & BOUND) === 0) return state
  return (state & MASKED) === 0 ? state | MASKED | QUEUED : state | PENDING
}

function unmasked(state: number): number {
  return (state & PENDING) === 0 ? state & ~MASKED : (state & ~PENDING) | QUEUED
}

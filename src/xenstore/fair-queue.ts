/** Waiting requests, in the order of their lane; lanes take turns, so that none waits for the whole length of another. */
export class FairQueue<T> {
  /** The next lane first. */
  readonly #lanes = new Map<object, { items: T[]; next: number }>()

  get empty(): boolean {
    return this.#lanes.size === 0
  }

  push(lane: object, item: T): void {
    const waiting = this.#lanes.get(lane)
    if (waiting) waiting.items.push(item)
    else this.#lanes.set(lane, { items: [item], next: 0 })
  }

  shift(): T | undefined {
    for (const [lane, waiting] of this.#lanes) {
      this.#lanes.delete(lane)
      const item = waiting.items[waiting.next++]
      if (waiting.next < waiting.items.length) this.#lanes.set(lane, waiting)
      return item
    }
    return undefined
  }

  /** Everything, which waits no longer. */
  clear(): T[] {
    const items = [...this.#lanes.values()].flatMap(({ items, next }) => items.slice(next))
    this.#lanes.clear()
    return items
  }
}

/** Those that follow each other and belong together, in their order. */
export function* runs<T>(
  items: readonly T[],
  together: (previous: T, next: T) => boolean,
): Generator<readonly T[]> {
  let from = 0
  for (let i = 1; i <= items.length; i++) {
    if (i < items.length && together(items[i - 1]!, items[i]!)) continue
    yield items.slice(from, i)
    from = i
  }
}

/** Those that lie next to each other. @param place of an item, in bytes */
export function* sideBySide<T>(
  items: readonly T[],
  place: (item: T) => number,
  bytes: (item: T) => number,
): Generator<readonly T[]> {
  // Most are alone.
  if (items.length === 1) yield items
  else
    yield* runs(
      items.toSorted((one, other) => place(one) - place(other)),
      (previous, next) => place(previous) + bytes(previous) === place(next),
    )
}

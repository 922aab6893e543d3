const PAGE = 4096

/** One of these, or undefined when there is none. */
export function pick(list, number) {
  return list.length === 0 ? undefined : list[number % list.length]
}

/** Small numbers to operands: mostly of things that exist, sometimes just beyond. */
export const operand = {
  /** A page of a file, or one of the two after its last. */
  page: (file, number) => number % (file.pages + 2),

  /** The byte offset of such a page; one in 16 lies inside the page. */
  index: (file, number, spice) =>
    operand.page(file, number) * PAGE + (spice % 16 === 15 ? 1 + (spice % 7) : 0),

  /** A page of a mapping that has not been unmapped. */
  leftPage: (mapping, number) => pick(pagesLeft(mapping), number),

  /** Pages next to each other that have not been unmapped; one time in three as many as possible. */
  piece(mapping, a, b, spice) {
    let first = operand.leftPage(mapping, a)
    let most = 0
    if (spice % 3 === 0) while (mapping.left[first - 1]) first--
    while (mapping.left[first + most]) most++
    return { first, count: spice % 3 === 0 ? most : 1 + (b % most) }
  },
}

function pagesLeft(mapping) {
  return [...mapping.left.keys()].filter((page) => mapping.left[page])
}

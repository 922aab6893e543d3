/** Median and the two ends of what was measured. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { median: round(median), low: round(sorted[0]), high: round(sorted.at(-1)), rounds: sorted.length }
}

function round(value) {
  return Number(value.toPrecision(4))
}

/**
 * A row of a table: what was measured in each way, the first of which is ours and the last what it is held against.
 * @param {{ most?: number, times?: number, least?: number }} facts what it is to reach: at most so much, at most or at least so
 * many times the other
 */
export function row(what, ways, facts = {}) {
  const medians = Object.values(ways).map(({ median }) => median)
  return { what, ways, ...(medians.length > 1 && { ratio: round(medians[0] / medians.at(-1)) }), ...facts }
}

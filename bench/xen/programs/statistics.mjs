/** Median and the two ends of what was measured, in the order of the rounds. */
export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { median: round(median), low: round(sorted[0]), high: round(sorted.at(-1)), rounds: sorted.length }
}

function round(value) {
  return Number(value.toPrecision(4))
}

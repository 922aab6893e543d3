// What every benchmark prints with: aligned columns, numbers to the right.
export function table(title, columns, rows) {
  const text = rows.map((row) => row.map((cell) => String(cell)))
  const widths = columns.map((name, i) => Math.max(name.length, ...text.map((row) => row[i].length)))
  const line = (cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
  console.log(`\n${title}\n`)
  console.log(line(columns))
  console.log(widths.map((width) => '-'.repeat(width)).join('  '))
  for (const row of text) console.log(line(row))
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Half the distance between the tenth and the ninetieth percentile. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]
  return (at(0.9) - at(0.1)) / 2
}

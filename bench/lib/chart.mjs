// Bars side by side, one group per case, in plain SVG that also reads on a dark page.
const colours = ['#3b82f6', '#f59e0b', '#10b981', '#ef4444', '#8b5cf6', '#64748b']
const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

/** What a letter takes at most, about, in pixels: nothing here can measure text. */
const LETTER = 7

/** Where each candidate is named: in columns if they fit, else one behind the other, in as many lines as that takes. */
function legendPlaces(candidates, width) {
  const widths = candidates.map((candidate) => 15 + candidate.length * LETTER)
  const column = Math.floor((width - 20) / Math.max(3, candidates.length))
  if (Math.max(...widths) <= column) return candidates.map((_, i) => ({ x: 12 + i * column, y: 32 }))
  let [x, y] = [12, 32]
  return widths.map((own) => {
    if (x > 12 && x + own > width) [x, y] = [12, y + 16]
    const place = { x, y }
    x += own + 18
    return place
  })
}

/** @param {{ title: string, unit: string, results: Record<string, Record<string, { median: number }>> }} result */
export function barChart({ title, unit, results }) {
  const groups = Object.entries(results)
  const candidates = [...new Set(groups.flatMap(([, group]) => Object.keys(group)))]
  const [bar, gap] = [16, 14]
  const left = Math.max(210, 20 + LETTER * Math.max(...groups.map(([label]) => label.length)))
  const width = left + 550
  const places = legendPlaces(candidates, width)
  const top = places.at(-1).y + 24
  const rows = groups.reduce((sum, [, group]) => sum + Object.keys(group).length, 0)
  const height = top + rows * bar + groups.length * gap + 30
  const largest = Math.max(...groups.flatMap(([, group]) => Object.values(group).map(({ median }) => median)))
  const scale = (width - left - 90) / largest
  const parts = []
  let y = top
  for (const [label, group] of groups) {
    const middle = y + (Object.keys(group).length * bar) / 2 + 4
    parts.push(`<text x="${left - 10}" y="${middle}" text-anchor="end">${escaped(label)}</text>`)
    for (const [candidate, { median }] of Object.entries(group)) {
      const length = Math.max(1, median * scale)
      const colour = colours[candidates.indexOf(candidate) % colours.length]
      parts.push(
        `<rect x="${left}" y="${y + 1}" width="${length.toFixed(1)}" height="${bar - 3}" fill="${colour}"/>`,
      )
      const text = median >= 100 ? median.toFixed(0) : median.toPrecision(3)
      parts.push(`<text x="${left + length + 6}" y="${y + 11}" font-size="11">${text}</text>`)
      y += bar
    }
    y += gap
  }
  const legend = candidates.map((candidate, i) => {
    const { x, y } = places[i]
    const colour = colours[i % colours.length]
    return `<rect x="${x}" y="${y}" width="10" height="10" fill="${colour}"/><text x="${x + 15}" y="${y + 9}" font-size="12">${escaped(candidate)}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<style>text{fill:#64748b}</style>`,
    `<text x="12" y="20" font-size="14" font-weight="bold">${escaped(title)} (${escaped(unit)})</text>`,
    ...legend,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

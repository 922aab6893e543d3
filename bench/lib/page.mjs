// All results as one page of HTML: charts and tables, nothing that is loaded from elsewhere, no script.
import { barChart } from './chart.mjs'

export const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

const STYLE = `
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem }
figure { margin: 0; overflow-x: auto }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
th:first-child { text-align: left }
nav a { margin-right: 1rem; white-space: nowrap }
.machine { opacity: .75 }
`

/** @param {Record<string, object>} results by the name of the benchmark, each as bench/lib/results.mjs writes it */
export function page(results) {
  const entries = Object.entries(results)
  const links = entries.map(([name, { title }]) => `<a href="#${escaped(name)}">${escaped(title)}</a>`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>xen-grants: benchmarks</title>
<style>${STYLE}</style>
</head>
<body>
<h1>xen-grants: benchmarks</h1>
<p>Medians, with half the distance between the tenth and the ninetieth percentile. What is compared took turns within one run.</p>
<nav>${links.join('\n')}</nav>
${entries.map(([name, result]) => section(name, result)).join('\n')}
</body>
</html>
`
}

function section(name, result) {
  const { title, unit, lowerIsBetter, machine } = result
  const { node, cpus, model, kernel } = machine
  return `<section id="${escaped(name)}">
<h2>${escaped(title)}</h2>
<p>${escaped(unit)}, ${lowerIsBetter ? 'less' : 'more'} is better.</p>
<figure>${barChart(result)}</figure>
${table(result.results)}
<p class="machine">Node ${escaped(node)}, ${escaped(cpus)} × ${escaped(model)}, ${escaped(kernel)}</p>
</section>`
}

function table(results) {
  const candidates = [...new Set(Object.values(results).flatMap((byCandidate) => Object.keys(byCandidate)))]
  const head = ['', ...candidates].map((name) => `<th scope="col">${escaped(name)}</th>`)
  const rows = Object.entries(results).map(([label, byCandidate]) => {
    const cells = candidates.map((candidate) => `<td>${cell(byCandidate[candidate])}</td>`)
    return `<tr><th scope="row">${escaped(label)}</th>${cells.join('')}</tr>`
  })
  return `<div class="wide"><table><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

function cell(measured) {
  if (measured === undefined) return '–'
  const { median, spread, rounds } = measured
  return escaped(`${short(median)} ± ${short(spread)} (${rounds})`)
}

function short(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

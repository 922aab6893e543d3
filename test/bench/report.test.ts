import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { barChart } from '../../bench/lib/chart.mjs'
import { emulatedChart } from '../../bench/lib/emulated-chart.mjs'
import { page } from '../../bench/lib/page.mjs'
import { finished, node } from '../setup/process.js'
import { Browser, chromium } from './browser.js'

const folder = mkdtempSync(join(tmpdir(), 'xen-grants-report-'))
const file = join(folder, 'reports', 'all.html')
afterAll(() => rmSync(folder, { recursive: true }))

interface Result {
  title: string
  results: Record<string, object>
}

const results: Record<string, Result> = Object.fromEntries(
  readdirSync('bench/results')
    .filter((name) => name.endsWith('.json'))
    // Those of the emulated machine have another form.
    .filter((name) => !name.startsWith('xen-'))
    .map((name) => [name.slice(0, -5), JSON.parse(readFileSync(join('bench/results', name), 'utf8'))]),
)

beforeAll(async () => {
  const { code, stdout } = await finished(node('bench/report.mjs', file))
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `${Object.keys(results).length} benchmarks in ${file}\n`,
  })
})

describe('the report of the benchmarks', () => {
  it('has every result in one file, which refers to no other', () => {
    const html = readFileSync(file, 'utf8')
    for (const [name, { title }] of Object.entries(results)) {
      expect(html).toContain(`<section id="${name}">`)
      expect(html).toContain(title)
    }
    expect(html).not.toMatch(/\b(?:src|srcset|action)=|href="(?!#)|url\(|@import|<script/i)
  })

  it('has the charts that lie beside the results', () => {
    for (const [name, result] of Object.entries(results))
      expect(readFileSync(`bench/results/${name}.svg`, 'utf8'), name).toBe(barChart(result))
  })

  it('and those of the emulated machine, which show every case under a name of its own', () => {
    for (const name of readdirSync('bench/results').filter((name) => /^xen-.*json$/.test(name))) {
      const result = JSON.parse(readFileSync(join('bench/results', name), 'utf8'))
      const svg = readFileSync(`bench/results/${name.replace('json', 'svg')}`, 'utf8')
      expect(svg, name).toBe(emulatedChart(result))
      const rows: { ratio?: number }[] = result.tests.flatMap(({ rows }: { rows: object[] }) => rows)
      const labels = svg.match(/(?<=text-anchor="end">)[^<]+/g)
      expect(new Set(labels).size, name).toBe(rows.filter(({ ratio }) => ratio !== undefined).length)
    }
  })

  it('takes no text of a result for HTML', () => {
    const hostile = '<script>"&'
    const machine = { node: hostile, cpus: hostile, model: hostile, kernel: hostile }
    const measured = { [hostile]: { [hostile]: { median: 1, spread: 1, rounds: 1 } } }
    const html = page({
      [hostile]: { title: hostile, unit: hostile, lowerIsBetter: true, machine, results: measured },
    })
    expect(html).not.toContain('<script')
  })
})

const name = chromium
  ? 'in a browser'
  : 'in a browser (skipped: there is no chromium, apt-get install chromium)'

describe.skipIf(chromium === undefined)(`the report, ${name}`, () => {
  let browser: Browser
  beforeAll(() => {
    browser = new Browser(chromium!)
  })
  afterAll(() => browser[Symbol.asyncDispose]())

  it.each([1200, 400])(
    'at %i pixels shows every chart and table, complains of nothing and loads nothing else',
    async (width) => {
      await browser.open(pathToFileURL(file).href, width, 800)
      const shown = await browser.evaluate<
        Record<string, { bars: number; rows: number; outside: number; overlapping: number }>
      >(`
      Object.fromEntries([...document.querySelectorAll('section')].map((section) => {
        const chart = section.querySelector('svg').getBoundingClientRect()
        const parts = [...section.querySelectorAll('svg rect, svg text')].map((part) => part.getBoundingClientRect())
        const outside = parts.filter((part) => part.width <= 0 || part.right > chart.right + 1 || part.left < chart.left - 1 || part.bottom > chart.bottom + 1)
        const texts = [...section.querySelectorAll('svg text')].map((part) => part.getBoundingClientRect())
        const overlapping = texts.filter((one, i) => texts.some((other, j) => i < j && one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 4 && other.top < one.bottom - 4))
        return [section.id, {
          bars: section.querySelectorAll('svg rect').length,
          rows: section.querySelectorAll('tbody tr').length,
          outside: outside.length,
          overlapping: overlapping.length,
        }]
      }))`)
      const wanted = Object.entries(results).map(([id, { results: byCase }]) => {
        const cases = Object.values(byCase) as object[]
        const candidates = new Set(cases.flatMap((one) => Object.keys(one)))
        const measured = cases.reduce((sum, one) => sum + Object.keys(one).length, 0)
        return [id, { bars: measured + candidates.size, rows: cases.length, outside: 0, overlapping: 0 }]
      })
      expect(shown).toEqual(Object.fromEntries(wanted))
      const sideways = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
      expect(await browser.evaluate(sideways)).toBe(false)
      const complaints = browser.events.filter(({ method }) =>
        /Log\.entryAdded|exceptionThrown|consoleAPI/.test(method!),
      )
      expect(complaints).toEqual([])
      const loaded = browser.events.filter(({ method }) => method === 'Network.requestWillBeSent')
      expect(loaded.map(({ params }) => (params!.request as { url: string }).url)).toEqual([
        pathToFileURL(file).href,
      ])
    },
  )
})

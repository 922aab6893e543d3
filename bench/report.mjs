// The results of the last runs as one page of HTML: npm run bench:report [-- file]
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { page } from './lib/page.mjs'

const folder = new URL('./results/', import.meta.url)
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
const read = names.map((name) => [
  name.slice(0, -'.json'.length),
  JSON.parse(readFileSync(new URL(name, folder), 'utf8')),
])
// Those of the emulated machine have another form, and charts of their own.
const results = Object.fromEntries(read.filter(([, { results }]) => results !== undefined))
const [, , file = 'reports/benchmarks.html'] = process.argv
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, page(results))
console.log(`${Object.keys(results).length} benchmarks in ${file}`)

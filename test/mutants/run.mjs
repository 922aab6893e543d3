// Would the tests notice? Puts one realistic fault after the other into a copy of the source, and runs the tests named beside
// it. A fault that no test notices is a missing test, unless the list says why it cannot matter.
//
//   npm run test:mutants                        all of them, which takes many minutes
//   npm run test:mutants -- --only semaphore    those whose file or description contains the text, or one of several
//   npm run test:mutants -- --only semaphore --show    and what the tests of a survivor have printed
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mutants } from './all.mjs'
import { SourceCopy } from './copy.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [''] }, show: { type: 'boolean' } },
})
const chosen = mutants.filter(({ file, breaks }) =>
  values.only.some((text) => `${file}: ${breaks}`.includes(text)),
)

const problems = chosen.flatMap(problemsOf)
if (chosen.length === 0)
  problems.push(`no fault has '${values.only.join("', '")}' in its file or description`)
if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  process.exit(2)
}

const copy = new SourceCopy(root)
process.on('exit', () => copy.remove())
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

const broken = (await copy.build()) ?? (await failureWithout())
if (broken) {
  console.error(`without any fault, this fails:\n${broken}`)
  process.exit(2)
}

let noticed = 0
const survivors = []
for (const mutant of chosen) {
  const fate = await copy.with(mutant, () => fateOf(mutant))
  if (fate === 'noticed') noticed++
  else survivors.push(mutant)
  const argued = fate === 'survived' && mutant.argued ? `, argued: ${mutant.argued}` : ''
  console.log(`${fate.padEnd(9)} ${mutant.file}: ${mutant.breaks}${argued}`)
}
const share = ((100 * noticed) / chosen.length).toFixed(1)
const unexplained = survivors.filter(({ argued }) => !argued)
console.log(
  `${noticed} of ${chosen.length} noticed (${share} %), ${survivors.length - unexplained.length} argued, ` +
    `${unexplained.length} unexplained`,
)
process.exit(unexplained.length > 0 ? 1 : 0)

/** A text that has changed is a fault that is no longer put in. */
function problemsOf({ file, find, replace, breaks }) {
  const found = readFileSync(join(root, file), 'utf8').split(find).length - 1
  if (found !== 1) return [`${file}: ${breaks}: its text occurs ${found} times, not once`]
  return find === replace ? [`${file}: ${breaks}: changes nothing`] : []
}

async function failureWithout() {
  const { passed, output } = await copy.test([...new Set(chosen.flatMap(({ tests }) => tests))])
  return passed ? undefined : output
}

async function fateOf({ tests }) {
  const error = await copy.build()
  // It would be noticed by whoever compiles it, and says nothing about the tests.
  if (error) throw new Error(`does not compile: ${error}`)
  const { passed, output } = await copy.test(tests)
  if (passed && values.show) console.log(output)
  return passed ? 'survived' : 'noticed'
}

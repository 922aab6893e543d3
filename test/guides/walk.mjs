// Runs the programs of a group, as a reader would: each when the one before has ended, unless that goes on beside it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Files of a group, and its programs: NAME.mjs for Node, NAME.sh for the shell. */
export function writeFiles({ files, programs }, folder) {
  const write = (name, text) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  for (const [name, text] of files) write(name, text)
  for (const { name, language, text } of programs) write(`${name}.${language === 'js' ? 'mjs' : 'sh'}`, text)
}

/**
 * @param group see documents.mjs; its files are where the programs will look for them
 * @param {object} place
 * @param {(program) => boolean} place.takes whether a program belongs to this place
 * @param {(program) => import('./walk.d.mts').Running} place.start
 * @returns {Promise<string[]>} what went otherwise than the document says
 * @throws Error a program that others would wait for has failed
 */
export async function walk(group, { takes, start }) {
  const running = []
  const problems = []
  try {
    for (const program of group.programs.filter(takes)) {
      const started = start(program)
      running.push(started)
      if (!program.beside && !program.serves) await started.ended
      else if (program.ready) await started.firstLine
      if (started.outcome) {
        const failed = problemsOf(program, started.outcome)
        if (failed.length > 0) throw new Error(failed.map((problem) => `${group.name}/${problem}`).join('\n'))
      }
    }
    await Promise.all(running.map(({ program, ended }) => (program.serves ? undefined : ended)))
    // The last started first: what the others need was there before them.
    for (const one of running.filter(({ program }) => program.serves).reverse()) {
      if (one.outcome) problems.push(`${one.program.name} ended by itself: ${told(one.outcome)}`)
      else await one.interrupt()
    }
  } finally {
    await Promise.all(running.map((one) => one.kill()))
  }
  for (const { program, outcome } of running) if (outcome) problems.push(...problemsOf(program, outcome))
  return problems.map((problem) => `${group.name}/${problem}`)
}

const told = ({ stdout, stderr }) => `${stdout}${stderr}`.trimEnd()

/** How a program may end that has been interrupted: in order, or by the signal, itself or its shell. */
const INTERRUPTED = [0, 130, 'SIGINT']

function problemsOf({ name, prints, language }, outcome) {
  const { end, stdout, stderr, interrupted } = outcome
  const found = []
  if (end !== 0 && !(interrupted && INTERRUPTED.includes(end)))
    found.push(`${name} ended with ${end}: ${told(outcome)}`)
  else if (language === 'js' && stderr !== '') found.push(`${name} complains: ${told(outcome)}`)
  if (prints && !matches(stdout, prints))
    found.push(`${name} does not print\n${prints.join('\n')}\nbut\n${told(outcome)}`)
  return found
}

/** … in a line stands for anything in that line, and alone for any number of lines. */
function matches(text, lines) {
  const literal = (part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const patterns = lines.map((line) =>
    line === '…' ? '(?:.*\n)*' : `${line.split('…').map(literal).join('.*')}\n`,
  )
  return new RegExp(`^${patterns.join('')}$`).test(`${text.trimEnd()}\n`)
}

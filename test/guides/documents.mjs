// The programs in the documents, and what keeps one from being run.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fencesOf } from './markdown.mjs'

/**
 * A document that is followed word for word with nothing but the packed package (`npm run check:guides`). The programs of the others
 * run in `npm test`.
 */
export const isGuide = (path) => /^docs\/(guides\/|command-line\.md)/.test(path)

/** Every document that a reader is meant to read. What is generated from comments is not. */
export function documentsOf(root) {
  const names = ['.', 'docs'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder !== '.' }).map((name) => join(folder, name)),
  )
  return names.filter((name) => name.endsWith('.md') && !name.startsWith('docs/api/')).sort()
}

/** @returns {Document} of a file @throws when it does not exist */
export function readDocument(root, path) {
  return documentFrom(path, readFileSync(join(root, path), 'utf8'))
}

/**
 * @typedef {object} Program
 * @property {string} name @property {'js' | 'sh'} language @property {string} text
 * @property {string[]} prints lines; undefined when the document does not tell
 * @property {string} [in] @property {string} [given] @property {true} [beside] @property {true} [serves]
 * @property {string} [on]
 *
 * @typedef {object} Group
 * @property {string} name @property {Program[]} programs @property {Map<string, string>} files
 *
 * @returns {{ path: string, groups: Group[], problems: string[] }}
 */
export function documentFrom(path, markdown) {
  const problems = []
  const groups = new Map()
  const common = new Map()
  const groupOf = (name) => {
    if (!groups.has(name)) groups.set(name, { name, programs: [], files: new Map() })
    return groups.get(name)
  }
  for (const { line, language, text, order } of fencesOf(markdown)) {
    const problem = (what) => problems.push(`${path}:${line}: ${what}`)
    if (order === undefined) {
      if (language === 'js' || language === 'sh') problem(`a ${language} snippet that nothing runs`)
      continue
    }
    const [group, name] = order.name?.includes('/') ? order.name.split('/') : [undefined, order.name]
    if (order.kind === 'unknown') problem(order.problem)
    else if (order.kind === 'not run') {
      if (language !== 'sh') problem(`only sh may be left out, not ${language}`)
    } else if (order.kind === 'file') (group === undefined ? common : groupOf(group).files).set(name, text)
    else if (group === undefined) problem(`"${name}" names no group`)
    else if (order.kind === 'run') addProgram(groupOf(group), { ...order, name, language, text }, problem)
    else addOutput(groupOf(group), name, text, problem)
  }
  for (const { files } of groups.values())
    for (const [name, text] of common) if (!files.has(name)) files.set(name, text)
  const all = [...groups.values()]
  for (const name of new Set([...common.keys(), ...all.flatMap(({ files }) => [...files.keys()])]))
    if (!all.some((group) => isUsed(group, name))) problems.push(`${path}: no program uses the file ${name}`)
  return { path, groups: all.filter(({ programs }) => programs.length > 0), problems }
}

function addProgram(group, { kind, ...program }, problem) {
  if (program.language !== 'js' && program.language !== 'sh')
    return problem(`nothing runs ${program.language || 'a snippet without a language'}`)
  const earlier = group.programs.find(({ name }) => name === program.name)
  if (earlier && earlier.language !== program.language)
    problem(`${program.name} is of another language above`)
  if (earlier) earlier.text += program.text
  else group.programs.push(program)
}

function addOutput(group, name, text, problem) {
  const program = group.programs.find((one) => one.name === name)
  if (program) program.prints = text.trimEnd().split('\n')
  else problem(`there is no program ${group.name}/${name} above that prints this`)
}

function isUsed({ programs, files }, name) {
  const texts = [
    ...programs.map(({ text }) => text),
    ...[...files].filter(([own]) => own !== name).map(([, text]) => text),
  ]
  return texts.some((text) => text.includes(name))
}

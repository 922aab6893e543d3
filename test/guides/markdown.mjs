// What the documents have in fences, and what a comment before each says should be done with it:
//
//   <!-- run: group/program [flag …] [name=value …] -->   a program: of js one for Node, of sh one for the shell. Fences of one
//                                                          program are one text. The programs of a group run together
//   <!-- file: [group/]name -->                            a file that programs of the group (or of the document) need
//   <!-- prints: group/program -->                         what that program prints; … stands for anything
//   <!-- not run: reason -->                               for sh alone
//
// Flags of programs, which start in the order of the document, each when the one before has ended:
//
//   in=N       in domain N of a simulated Xen, which Xen.open() and the like open without being told
//   given=…    with these as globals (see given.mjs): what the text around has spoken of
//   beside     goes on beside those that follow, and ends by itself
//   serves     is interrupted when all others have ended
//   ready      of these two: the next one starts when it has printed its first line
//   on=WHERE   dom0 or guest: only on a real Xen

const FENCE = /^( *)(?:<!-- (.*?) -->\n\s*)?```(\w*)\n([\s\S]*?)^\1```$/gm

/** @returns {{ line: number, language: string, text: string, order: object | undefined }[]} */
export function fencesOf(markdown) {
  return [...markdown.matchAll(FENCE)].map(({ index, 1: indent, 2: comment, 3: language, 4: text }) => ({
    line: markdown.slice(0, index).split('\n').length,
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    order: comment === undefined ? undefined : parseOrder(comment),
  }))
}

const FLAGS = ['beside', 'serves', 'ready']
const VALUES = ['in', 'given', 'on']

/** @returns { kind, name, flags… }, or { kind: 'unknown', problem } */
function parseOrder(comment) {
  const [, kind, rest] = /^(run|file|prints|not run): (.+)$/.exec(comment) ?? []
  if (kind === undefined)
    return { kind: 'unknown', problem: `the comment says nothing that is known: ${comment}` }
  if (kind === 'not run') return { kind, reason: rest }
  const [name, ...words] = rest.split(/\s+/)
  const order = { kind, name }
  for (const word of words) {
    const [key, value] = word.split('=')
    if (kind !== 'run' || !(value === undefined ? FLAGS : VALUES).includes(key))
      return { kind: 'unknown', problem: `"${word}" is not known` }
    order[key] = value ?? true
  }
  return order
}

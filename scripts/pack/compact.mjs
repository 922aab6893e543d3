import { transform } from 'esbuild'

/**
 * A plugin of Rollup's: chunks without what only developers need. Functions and classes at the top of a module keep their names,
 * which a stack and `console.log` show: a name that is set instead is not seen in `at Grant.fill`. esbuild keeps the names
 * of what is exported where it is declared; so, for its sake, all of them are.
 */
export function compact() {
  return {
    name: 'compact',
    async renderChunk(code) {
      const { text, wanted } = withExports(code, this.parse(code))
      const small = await compacted(text)
      return withoutExports(small, this.parse(small), wanted)
    },
  }
}

export async function compacted(text, format) {
  const { code } = await transform(text, {
    target: 'node20',
    format,
    minify: true,
    lineLimit: 120,
    legalComments: 'none',
  })
  return code
}

/** @returns the text, and the names that it exports anyway, which their declarations alone do in it */
function withExports(code, { body }) {
  const edits = []
  const declared = new Set()
  for (const statement of body) {
    const names = namesOf(statement)
    for (const name of names) declared.add(name)
    if (names.length > 0) edits.push([statement.start, statement.start, 'export '])
    // Of two functions of one name Rollup numbers the second. A class is told from others by its name.
    if (statement.type === 'ClassDeclaration' && /\$\d+$/.test(names[0]))
      throw new Error(`another class of this chunk has the name of ${names[0]}`)
  }
  const wanted = new Set()
  for (const { type, specifiers, source, start, end } of body) {
    if (type !== 'ExportNamedDeclaration' || source !== null) continue
    const others = specifiers.filter(({ local, exported }) => {
      const itself = local.name === exported.name && declared.has(local.name)
      if (itself) wanted.add(local.name)
      return !itself
    })
    const list = others.map(({ local, exported }) => `${local.name} as ${exported.name}`)
    edits.push([start, end, `export { ${list} };`])
  }
  return { text: edited(code, edits), wanted }
}

function withoutExports(code, { body }, wanted) {
  const edits = []
  for (const { type, declaration, start } of body) {
    if (type !== 'ExportNamedDeclaration' || !declaration) continue
    if (!namesOf(declaration).some((name) => wanted.has(name))) edits.push([start, declaration.start, ''])
  }
  return edited(code, edits)
}

/** What a statement declares whose names a stack shows. */
function namesOf({ type, id, declarations }) {
  if (type === 'FunctionDeclaration' || type === 'ClassDeclaration') return [id.name]
  if (type !== 'VariableDeclaration') return []
  const functions = declarations.every(({ init }) => /Function|^Class/.test(init?.type ?? ''))
  return functions ? declarations.map((declaration) => declaration.id.name) : []
}

/** @param edits `[start, end, instead]`, which do not overlap */
function edited(code, edits) {
  let text = ''
  let at = 0
  for (const [start, end, instead] of edits.sort(([a], [b]) => a - b)) {
    text += code.slice(at, start) + instead
    at = end
  }
  return text + code.slice(at)
}

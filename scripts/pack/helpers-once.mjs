const HELPER = /^var (__\w+) = \(this && this\.\1\) \|\| ([\s\S]*?^\}(?:\)\([\s\S]*?^\}\))?;)\n/gm
const MODULE = '\0helpers'

/** A plugin of Rollup's: the functions that the compiler puts into each module that has an `await using` are there once. */
export function helpersOnce() {
  const helpers = new Map()
  return {
    name: 'helpers-once',
    transform(code) {
      const names = []
      const rest = code.replace(HELPER, (_, name, text) => {
        names.push(name)
        helpers.set(name, text)
        return ''
      })
      if (names.length === 0) return null
      return { code: `import { ${names} } from '${MODULE}'\n${rest}`, map: null }
    },
    resolveId: (id) => (id === MODULE ? id : null),
    load(id) {
      if (id !== MODULE) return null
      return [...helpers].map(([name, text]) => `export const ${name} = ${text}\n`).join('')
    },
  }
}

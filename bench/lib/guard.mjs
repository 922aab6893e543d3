import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** A figure may be so much larger than the one that is kept: two runs agree within 3 %. */
const TOLERANCE = 1.05

/**
 * Figures that CI holds later ones against. They are ratios to C in the same run, so that another kernel or Xen does not
 * change them: of the cheapest rounds, since whatever V8 does beside (it compiles, it collects) only adds to a round.
 */
export class Guard {
  #file
  #kept

  /** @param file where they are kept */
  constructor(file) {
    this.#file = file
    this.#kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  }

  /** @returns what has become dearer, or is not kept; sentences */
  complaints(tests) {
    const found = ratios(tests)
    const missing = Object.keys(this.#kept)
      .filter((name) => found[name] === undefined)
      .map((name) => `${name}: not measured, but kept. After a change of the benchmark: --update`)
    const others = Object.entries(found).flatMap(([name, ratio]) => {
      const kept = this.#kept[name]
      if (kept === undefined) return [`${name}: ${ratio} times C, and no figure is kept. --update keeps it`]
      if (ratio <= kept * TOLERANCE) return []
      const percent = Math.round((ratio / kept - 1) * 100)
      return [
        `${name}: ${ratio} times C, ${percent} % more than the ${kept} that are kept. --update accepts it; the commit says why`,
      ]
    })
    return [...missing, ...others]
  }

  update(tests) {
    writeFileSync(this.#file, `${JSON.stringify(ratios(tests), null, 2)}\n`)
  }
}

function ratios(tests) {
  const rows = tests.flatMap(({ suite, measured }) => (measured?.rows ?? []).map((row) => [suite, row]))
  return Object.fromEntries(
    rows
      .filter(([, { ways }]) => Object.keys(ways).length > 1)
      .map(([suite, { what, ways }]) => {
        const lowest = Object.values(ways).map(({ low }) => low)
        return [`${suite}: ${what}`, Number((lowest[0] / lowest.at(-1)).toPrecision(4))]
      }),
  )
}

/**
 * Where every random test begins unless it is told otherwise. Always the same place: a change is then refused for what it has
 * broken, and not because a new walk has come upon a difference that was there before. New walks are for what has the time
 * to follow them: `npm run test:soak` and `node test/xen/run.mjs --slow` begin at {@link newSeed}.
 */
const USUAL_SEED = 20_251_126

/** The seed of a run: XEN_GRANTS_SEED, or the usual one. Whoever uses it prints it. */
export function seedOf(environment) {
  const text = environment.XEN_GRANTS_SEED
  if (text === undefined || text === '') return USUAL_SEED
  if (!/^-?\d+$/.test(text)) throw new Error(`XEN_GRANTS_SEED is an integer, not "${text}"`)
  return Number(text) | 0
}

/** Another at each call. */
export function newSeed() {
  return Math.floor(Math.random() * 0x7fff_ffff)
}

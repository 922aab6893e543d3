/** The seed of a run: XEN_GRANTS_SEED to see the same again, otherwise a new one. Whoever uses it prints it. */
export function seedOf(environment) {
  const text = environment.XEN_GRANTS_SEED
  if (text === undefined || text === '') return Math.floor(Math.random() * 0x7fff_ffff)
  if (!/^-?\d+$/.test(text)) throw new Error(`XEN_GRANTS_SEED is an integer, not "${text}"`)
  return Number(text) | 0
}

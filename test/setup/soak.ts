/** Everything at full length: in `npm run test:soak`, which has the time. */
export const full = process.env.XEN_GRANTS_TRIALS === 'full'

/** In the name of a test that it alone runs. */
export const inSoak = (why: string): string => (full ? '' : ` (${why}: in npm run test:soak)`)

/**
 * How long the long tests of the contract are. They look for races of the client, which has the same for every place: the
 * whole length in one of them is enough, unless `npm run test:soak` has time for all.
 * @param {boolean | undefined} another a place beside that one
 */
export function effortOf(another) {
  return another && process.env.XEN_GRANTS_TRIALS !== 'full' ? 0.1 : 1
}

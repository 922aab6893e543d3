/**
 * Leaves out every step that the failure does not need. What fast-check has shrunk is short already but full of steps
 * that do no harm: it runs out of time before it has tried to leave out each.
 *
 * @param {object[]} steps which fail
 * @param {(steps: object[]) => Promise<boolean>} fails
 */
export async function shorten(steps, fails) {
  let shortest = steps
  let before
  do {
    before = shortest.length
    for (let at = shortest.length - 1; at >= 0; at--) {
      const without = shortest.filter((_, i) => i !== at)
      if (await fails(without)) shortest = without
    }
  } while (shortest.length < before)
  return shortest
}

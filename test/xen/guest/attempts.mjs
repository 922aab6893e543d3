/**
 * What comes of every way to get at references of another domain, each tried by itself: mapped for reading, mapped for
 * writing, copied from, copied to.
 * @returns each outcome once: the code of the error, the status of the copy, or "mapped"
 */
export async function attempts(mapper, domid, refs) {
  const outcomes = { read: new Set(), write: new Set(), copyFrom: new Set(), copyTo: new Set() }
  for (const ref of refs) {
    for (const [how, writable] of [
      ['read', false],
      ['write', true],
    ]) {
      const outcome = await mapper.map({ domid, refs: [ref], writable }).then(
        async (mapped) => {
          await mapped.unmap()
          return 'mapped'
        },
        ({ code }) => code,
      )
      outcomes[how].add(outcome)
    }
    const [from, to] = await mapper.copy([
      { source: { domid, ref }, target: new Uint8Array(8) },
      { source: new Uint8Array(8), target: { domid, ref } },
    ])
    outcomes.copyFrom.add(from.name)
    outcomes.copyTo.add(to.name)
  }
  return Object.fromEntries(Object.entries(outcomes).map(([how, all]) => [how, [...all]]))
}

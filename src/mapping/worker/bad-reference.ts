import { GrantError } from '../../errors.js'

/**
 * Says which reference kept a batch from being mapped. The driver answers EINVAL for all of it without telling, so
 * halves are tried until one is left: about twice log2(count) more calls.
 *
 * @param names pairs of domid and reference
 * @param mappable whether some of them can be mapped by themselves
 * @returns the error to throw in the place of `error`
 */
export function cannotMap(
  path: string,
  names: Uint32Array,
  writable: boolean,
  error: unknown,
  mappable: (some: Uint32Array) => boolean,
): unknown {
  if (!(error instanceof GrantError) || error.code !== 'EINVAL' || error.syscall !== 'mmap') return error
  let culprit: Uint32Array | undefined
  try {
    culprit = firstUnmappable(names, mappable)
  } catch {
    // The search failed otherwise: the first error is the one to report.
  }
  if (!culprit) return error
  const [domid, ref] = [culprit[0]!, culprit[1]!]
  const count = names.length / 2
  const hint = writable ? ', not granted for writing,' : ''
  return new GrantError(
    'EINVAL',
    `cannot map ${count} grant${count === 1 ? '' : 's'}: reference ${ref} of domain ${domid} is not granted${hint} ` +
      'or not to this domain. Ask its owner for the references anew',
    { errno: -22, syscall: 'mmap', path, domid, ref, pages: count },
  )
}

/** Undefined when every part can be mapped by itself: then something else was short, and has come free. */
function firstUnmappable(
  names: Uint32Array,
  mappable: (some: Uint32Array) => boolean,
): Uint32Array | undefined {
  let suspects = names
  while (suspects.length > 2) {
    const half = suspects.subarray(0, (suspects.length >> 2) * 2)
    suspects = mappable(half) ? suspects.subarray(half.length) : half
  }
  return mappable(suspects) ? undefined : suspects
}

import type { GrantName } from '../../drivers/gntdev/map-device.js'
import { GrantError } from '../../errors.js'

/**
 * Says which reference kept a batch from being mapped. The driver answers EINVAL for all of it without telling, so
 * halves are tried until one is left: about twice log2(count) more calls.
 *
 * @param mappable whether some of them can be mapped by themselves
 * @returns the error to throw in the place of `error`
 */
export function cannotMap(
  path: string,
  names: GrantName[],
  writable: boolean,
  error: unknown,
  mappable: (some: GrantName[]) => boolean,
): unknown {
  if (!(error instanceof GrantError) || error.code !== 'EINVAL' || error.syscall !== 'mmap') return error
  let culprit: GrantName | undefined
  try {
    culprit = firstUnmappable(names, mappable)
  } catch {
    // The search failed otherwise: the first error is the one to report.
  }
  if (!culprit) return error
  const { domid, ref } = culprit
  const hint = writable ? ', not granted for writing,' : ''
  return new GrantError(
    'EINVAL',
    `cannot map ${names.length} grant${names.length === 1 ? '' : 's'}: reference ${ref} of domain ${domid} is not granted${hint} ` +
      'or not to this domain. Ask its owner for the references anew',
    { errno: -22, syscall: 'mmap', path, domid, ref, pages: names.length },
  )
}

/** Undefined when every part can be mapped by itself: then something else was short, and has come free. */
function firstUnmappable(
  names: GrantName[],
  mappable: (some: GrantName[]) => boolean,
): GrantName | undefined {
  let suspects = names
  while (suspects.length > 1) {
    const half = suspects.slice(0, suspects.length >> 1)
    suspects = mappable(half) ? suspects.slice(half.length) : half
  }
  return mappable(suspects) ? undefined : suspects[0]
}

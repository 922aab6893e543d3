import { PAGE_SIZE } from '../abi.js'
import type { GrantName, MapDevice } from '../device/seam.js'
import { GrantError } from '../errors.js'

/**
 * Says which reference kept a batch from being mapped. The driver answers EINVAL for all of it without telling, so
 * halves are tried until one is left: about twice log2(count) more calls.
 *
 * @returns the error to throw in the place of `error`
 */
export function cannotMap(device: MapDevice, names: GrantName[], writable: boolean, error: unknown): unknown {
  if (!(error instanceof GrantError) || error.code !== 'EINVAL' || error.syscall !== 'mmap') return error
  const culprit = firstUnmappable(device, names, writable)
  if (!culprit) return error
  const { domid, ref } = culprit
  const hint = writable ? ', not granted for writing,' : ''
  return new GrantError(
    'EINVAL',
    `cannot map ${names.length} grant${names.length === 1 ? '' : 's'}: reference ${ref} of domain ${domid} is not granted${hint} ` +
      'or not to this domain. Ask its owner for the references anew',
    { errno: -22, syscall: 'mmap', path: device.path, domid, ref, pages: names.length },
  )
}

/** Undefined when every part can be mapped by itself: then something else was short, and has come free. */
function firstUnmappable(device: MapDevice, names: GrantName[], writable: boolean): GrantName | undefined {
  let suspects = names
  while (suspects.length > 1) {
    const half = suspects.slice(0, suspects.length >> 1)
    suspects = mappable(device, half, writable) ? suspects.slice(half.length) : half
  }
  return mappable(device, suspects, writable) ? undefined : suspects[0]
}

function mappable(device: MapDevice, names: GrantName[], writable: boolean): boolean {
  const index = device.map(names)
  try {
    device.munmap(device.mmap(index, names.length, writable), names.length * PAGE_SIZE)
    return true
  } catch (error) {
    if (error instanceof GrantError && error.code === 'EINVAL') return false
    throw error
  } finally {
    device.unmap(index, names.length)
  }
}

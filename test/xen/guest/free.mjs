import assert from 'node:assert/strict'

/** The driver counts these pages as free, and not one more. Only of its limit can this be asked: it fails without a trace. */
export function assertFree(device, pages, message) {
  const { index, refs } = device.allocate(0, 0, pages)
  assert.equal(refs.length, pages, message)
  assert.throws(() => device.allocate(0, 0, 1), { code: 'ENOSPC' }, `${message}: not one more`)
  if (pages > 0) device.deallocate(index, pages)
}

/** Whether that many pages are free. */
export function isFree(device, pages) {
  try {
    device.deallocate(device.allocate(0, 0, pages).index, pages)
    return true
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
    return false
  }
}

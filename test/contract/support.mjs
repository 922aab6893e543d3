import assert from 'node:assert/strict'

export { UNMAP_NOTIFY_CLEAR_BYTE as CLEAR, UNMAP_NOTIFY_SEND_EVENT as SEND } from '../../dist/src/abi.js'

export const PAGE = 4096
export const WRITABLE = 1

/** Fields of a failed ioctl, as every device reports it. */
export function refused(device, code, fields = {}) {
  return { name: 'GrantError', code, syscall: 'ioctl', path: device.path, ...fields }
}

export const MMAP_ENOENT = { name: 'GrantError', code: 'ENOENT', errno: -2, syscall: 'mmap' }

/** For each reference, whether the peer can map it. */
export async function mappable(world, refs) {
  const answers = []
  for (const ref of refs) answers.push(await world.canMap(ref))
  return answers
}

export async function assertMappable(world, refs, expected, message) {
  assert.deepEqual(
    await mappable(world, refs),
    Array.isArray(expected) ? expected : [...refs].map(() => expected),
    message,
  )
}

/** The peer may not map these. */
export async function assertRefused(world, refs, options) {
  await assert.rejects(world.map(refs, options), { code: 'EINVAL' })
}

/** Pages full of 0xff, mapped here and by a peer, who still sees them when the owner has let go. */
export async function shared(world, count, { flags = WRITABLE } = {}) {
  const device = world.open()
  const { index, refs } = device.allocate(world.domid, flags, count)
  const address = device.mmap(index, count)
  world.write(address, Buffer.alloc(count * PAGE, 0xff))
  const peer = await world.map(refs, { writable: flags === WRITABLE })
  return {
    device,
    index,
    refs,
    address,
    peer,
    unmap: () => device.munmap(address, count * PAGE),
    seen: (...offsets) => offsets.map((offset) => peer.read(offset, 1)[0]),
  }
}

/** Waits for what another process does: the kernel tells nobody. */
export async function eventually(probe, what) {
  const deadline = performance.now() + 10_000
  for (;;) {
    if (await probe()) return
    assert.ok(performance.now() < deadline, `${what}: not within 10 s`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import koffi from 'koffi'
import { describe, expect, it } from 'vitest'
import { gntalloc } from '../../src/drivers/catalogue.js'
import { CharDevice } from '../../src/drivers/char-device.js'
import { openEventLine } from '../../src/drivers/evtchn/linux-evtchn.js'
import { openDevice } from '../../src/drivers/gntalloc/linux-gntalloc.js'
import { CopyRequest } from '../../src/drivers/gntdev/copy-request.js'
import { openMapDevice } from '../../src/drivers/gntdev/linux-gntdev.js'
import { addressOf } from '../../src/native/libc.js'

/** What the driver finds there. */
function peek(address: bigint, into: Uint8Array): void {
  koffi.load(null).func('void *memcpy(void *to, void *from, size_t length)')(into, address, into.length)
}

const devices = {
  'xen-gntalloc': openDevice,
  'xen-gntdev': openMapDevice,
  'xen-evtchn': openEventLine,
}

describe.each(Object.entries(devices))('opening the device of %s', (module, open) => {
  const name = module.slice('xen-'.length)

  it('says what to do when there is none', () => {
    expect(() => open({ path: '/dev/xen/no-such-device' })).toThrow(
      expect.objectContaining({
        name: 'GrantError',
        code: 'ENOENT',
        syscall: 'open',
        message: expect.stringContaining(`modprobe ${module}`),
      }),
    )
  })

  it('refuses what is not a device, and other devices', () => {
    const folder = mkdtempSync(join(tmpdir(), 'xen-grants-open-'))
    const path = join(folder, 'file')
    writeFileSync(path, '')
    const message = expect.stringContaining(`/dev/xen/${name}`)
    const descriptors = readdirSync('/proc/self/fd').length
    expect(() => open({ path })).toThrow(expect.objectContaining({ code: 'ENODEV', path, message }))
    rmSync(folder, { recursive: true })
    expect(() => open({ path: '/dev/null' })).toThrow(
      expect.objectContaining({ code: 'ENOTTY', path: '/dev/null', message }),
    )
    expect(readdirSync('/proc/self/fd').length, 'descriptors left open').toBe(descriptors)
  })
})

it('a device is closed once: by then its descriptor may be another file', () => {
  const device = CharDevice.open(gntalloc, '/dev/null', () => 'expected')
  const { fd } = device
  device.close()
  expect(device.fd).toBe(-1)
  const other = openSync('/dev/null', 'r')
  expect(other).toBe(fd)
  device.close()
  expect(fstatSync(other).isCharacterDevice()).toBe(true)
  const again = new CharDevice('/dev/null', other)
  expect([again.release(), again.fd]).toEqual([other, -1])
  again.close()
  closeSync(other)
})

it('a grant copy is laid out as the driver reads it', () => {
  const request = new CopyRequest()
  const buffer = new SharedArrayBuffer(8192)
  const address = addressOf(new Uint8Array(buffer))
  const word = (offset: number): string => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(address + offset))
    return bytes.toString('hex')
  }
  const argument = request.fill([
    { source: { domid: 7, ref: 8, offset: 9 }, target: { buffer, offset: 0x678 }, length: 4096 },
    { source: { buffer, offset: 1 }, target: { domid: 0x7fef, ref: 0xffff_ffff, offset: 4095 }, length: 1 },
  ])
  expect(argument.getUint32(0, true)).toBe(2)
  expect(argument.getBigUint64(8, true)).toBeGreaterThan(4096n)
  const segments = Buffer.alloc(48)
  peek(argument.getBigUint64(8, true), segments)
  const bytes = segments.toString('hex')
  const [first, second] = [bytes.slice(0, 48), bytes.slice(48)]
  expect(first).toBe(`08000000 0900 0700 ${word(0x678)} 0010 0100 0000 0000`.replaceAll(' ', ''))
  expect(second).toBe(`${word(1)} ffffffff ff0f ef7f 0100 0200 0000 0000`.replaceAll(' ', ''))
  expect([...request.statuses(2)]).toEqual([0, 0])
})

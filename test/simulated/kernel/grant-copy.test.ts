import { describe, expect, it } from 'vitest'
import type { CopySegment } from '../../../dist/src/drivers/gntdev/map-device.js'
import { bytesAt } from '../../contract/addressed.mjs'
import { failing, open, openMap, PAGE, WRITABLE, withXen } from '../support.js'

describe('grant copy', () => {
  it('copies in all directions, of any length and alignment', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const maps = await openMap(xen.domain(7))
      const { index, refs } = device.allocate(7, WRITABLE, 2)
      const address = device.mmap(index, 2)
      const granted = bytesAt(address, 2 * PAGE)
      const memory = new SharedArrayBuffer(3 * PAGE)
      const local = Buffer.from(memory, 0, 3 * PAGE)
      local.write('hello from domain 7', 4090)
      const at = (page: number, offset: number) => ({ domid: 0, ref: refs[page]!, offset })
      const segments: CopySegment[] = [
        { source: { buffer: memory, offset: 4090 }, target: at(0, 3), length: 19 },
        { source: at(0, 9), target: at(1, PAGE - 13), length: 13 },
        { source: at(1, PAGE - 13), target: { buffer: memory, offset: 1 }, length: 13 },
        { source: { buffer: memory, offset: 0 }, target: at(0, 0), length: 1 },
      ]
      expect([...maps.copy(segments)]).toEqual([0, 0, 0, 0])
      expect(Buffer.from(granted.subarray(3, 22)).toString()).toBe('hello from domain 7')
      expect(local.toString('latin1', 1, 14)).toBe('from domain 7')
      expect([...maps.copy([])]).toEqual([])
      const whole = { source: at(1, 0), target: { buffer: memory, offset: 0 }, length: PAGE }
      expect([...maps.copy([whole])]).toEqual([0])
      expect(local.toString('latin1', PAGE - 13, PAGE)).toBe('from domain 7')
      device.munmap(address, 2 * PAGE)
      device.close()
      maps.close()
    }))

  it('says for each segment what Xen says, and copies the others', () =>
    withXen({ tableCapacity: 100 }, async (xen) => {
      const device = await open(xen)
      const maps = await openMap(xen.domain(7))
      const readOnly = device.allocate(7, 0, 1).refs[0]!
      const others = device.allocate(8, WRITABLE, 1).refs[0]!
      const memory = new SharedArrayBuffer(PAGE)
      const local = Buffer.from(memory, 0, PAGE).fill(1)
      const here = { buffer: memory, offset: 0 }
      const from = (domid: number, ref: number): CopySegment => ({
        source: { domid, ref, offset: 0 },
        target: here,
        length: 8,
      })
      const toReadOnly = { source: here, target: { domid: 0, ref: readOnly, offset: 0 }, length: 8 }
      const wrong = [from(0, others), from(0, 99), from(0, 100), from(1, readOnly), from(0x7ff4, readOnly)]
      expect([...maps.copy([...wrong, toReadOnly])]).toEqual([-1, -1, -3, -1, -2, -1])
      expect(local.every((byte) => byte === 1)).toBe(true)
      expect([...maps.copy([from(0, others), from(0, readOnly)])]).toEqual([-1, 0])
      expect(local.indexOf(1)).toBe(8)
      device.close()
      maps.close()
    }))

  it('is refused as a whole by the driver for segments that cannot be', () =>
    withXen({}, async (xen) => {
      const device = await open(xen)
      const maps = await openMap(xen.domain(7))
      const { refs } = device.allocate(7, WRITABLE, 1)
      const here = { buffer: new SharedArrayBuffer(PAGE), offset: 0 }
      const there = (offset: number) => ({ domid: 0, ref: refs[0]!, offset })
      expect(() => maps.copy([{ source: here, target: here, length: 1 }])).toThrow(failing('EINVAL'))
      expect(() => maps.copy([{ source: here, target: there(1), length: PAGE }])).toThrow(failing('EINVAL'))
      expect(() => maps.copy([{ source: there(PAGE - 1), target: here, length: 2 }])).toThrow(
        failing('EINVAL'),
      )
      await xen.failNext('gntdev.copy', 'EFAULT')
      const fine = { source: there(0), target: here, length: 1 }
      expect(() => maps.copy([fine])).toThrow(failing('EFAULT'))
      expect([...maps.copy([fine])]).toEqual([0])
      device.close()
      maps.close()
    }))
})

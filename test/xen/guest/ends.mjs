import { EvtchnLine } from '../../../dist/src/drivers/evtchn/linux-event-line.js'
import { EvtchnDevice } from '../../../dist/src/drivers/evtchn/linux-evtchn.js'
import { GntdevDevice } from '../../../dist/src/drivers/gntdev/linux-gntdev.js'
import { addressed } from '../../contract/addressed.mjs'
import { EventEnd } from '../../contract/event-end.mjs'
import { PAGE, poke } from './raw.mjs'

// Both ends in this one domain: what it grants to itself, it maps through the drivers under test.

export function mapDevice(t) {
  const device = addressed(new GntdevDevice())
  t.defer(() => device.close())
  return device
}

/** @param start false for a line that tells nothing until `start()` */
export function eventFile(t, { start = true } = {}) {
  const line = new EvtchnLine()
  const file = new EventEnd(line, new EvtchnDevice(line.file))
  t.defer(() => file.close())
  if (start) file.start()
  return file
}

/** Pages of this domain's, each full of its number + 1, granted to this domain or to another. */
export function granted(t, pages, { writable = true, domid = 0 } = {}) {
  const device = t.gntalloc()
  const { index, refs } = device.allocate(domid, Number(writable), pages)
  const address = device.mmap(index, pages)
  for (let page = 0; page < pages; page++) poke(address + page * PAGE, Buffer.alloc(PAGE, page + 1))
  return {
    device,
    address,
    refs: [...refs],
    names: [...refs].map((ref) => ({ domid: 0, ref })),
    takeBack() {
      device.munmap(address, pages * PAGE)
      device.deallocate(index, pages)
    },
  }
}

/** Maps all of it, and knows how to take it apart. */
export function mapped(device, names, writable = true) {
  const index = device.map(names)
  const address = device.mmap(index, names.length, writable)
  return {
    index,
    address,
    munmap: () => device.munmap(address, names.length * PAGE),
    forget: () => device.unmap(index, names.length),
  }
}

/** Whether Xen lets this domain map the reference at this moment: not any more once the page is free. */
export function canMap(device, ref, domid = 0) {
  const index = device.map([{ domid, ref }])
  try {
    device.munmap(device.mmap(index, 1, false), PAGE)
    return true
  } catch (error) {
    if (error.code === 'EINVAL' && error.syscall === 'mmap') return false
    throw error
  } finally {
    device.unmap(index, 1)
  }
}

/** A channel of this domain with itself, the event that binding causes taken. */
export async function channelTo(near, far) {
  const port = near.device.bindUnbound(0)
  const own = far.device.bindInterdomain(0, port)
  far.unmask(await far.next())
  return { port, own }
}

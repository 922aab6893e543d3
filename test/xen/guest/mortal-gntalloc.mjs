// The real driver, except that certain domids make the thread that calls it die in different ways.
import { GntallocDevice } from '../../../dist/src/drivers/gntalloc/linux-gntalloc.js'

export function openDevice() {
  const device = new GntallocDevice()
  const allocate = device.allocate.bind(device)
  device.allocate = (domid, flags, count) => {
    if (domid === 101) throw new Error('a bug in the driver binding')
    if (domid === 102) process.exit(9)
    return allocate(domid, flags, count)
  }
  return device
}

import { closeSync, openSync } from 'node:fs'
import { gntalloc } from '../../../dist/src/drivers/catalogue.js'
import { GntallocDevice } from '../../../dist/src/drivers/gntalloc/linux-gntalloc.js'
import { addressed } from '../../contract/addressed.mjs'
import { Evtchn } from './evtchn.mjs'
import { Gntdev } from './gntdev.mjs'
import { startProgram } from './program.mjs'

/** What a test gets: openers whose results are closed after the test, whether it passed or not. */
export class Context {
  #cleanups = []
  /** What the report says of the test beside its result. */
  notes = []

  note(text) {
    this.notes.push(text)
  }

  /** Runs after the test, last registered first. */
  defer(cleanup) {
    this.#cleanups.push(cleanup)
  }

  async cleanUp() {
    for (const cleanup of this.#cleanups.reverse()) await cleanup()
  }

  /** The driver under test. */
  gntalloc(path) {
    const device = addressed(new GntallocDevice(path))
    this.defer(() => device.close())
    return device
  }

  /** The same device as a bare descriptor. */
  gntallocFd(flags = 'r+') {
    const fd = openSync(gntalloc.path, flags)
    let open = true
    const close = () => {
      if (open) closeSync(fd)
      open = false
    }
    this.defer(close)
    return { fd, close }
  }

  /** The other side of a grant, mapped by this same domain. */
  gntdev() {
    const device = new Gntdev()
    this.defer(() => device.close())
    return device
  }

  evtchn() {
    const device = new Evtchn()
    this.defer(() => device.close())
    return device
  }

  /** A C peer of test/xen/peers. */
  peer(name, ...args) {
    return this.#start(`/peers/${name}`, args)
  }

  /** Another Node process that runs a script of test/xen/guest. */
  node(script, ...args) {
    return this.#start(process.execPath, [new URL(script, import.meta.url).pathname, ...args])
  }

  #start(command, args) {
    const program = startProgram(command, args.map(String))
    this.defer(() => program.kill())
    return program
  }
}

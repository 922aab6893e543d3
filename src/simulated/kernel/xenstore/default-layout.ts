import { Buffer } from 'node:buffer'
import { NodeAccess } from './node-access.js'
import { domainPath } from './node-paths.js'
import type { Permission } from './node-permissions.js'
import type { NodeStore } from './node-store.js'
import { Refusal } from './refusal.js'
import type { Rules } from './store-rules.js'

/** The toolstack: xl and libxl, in domain 0. */
const TOOLSTACK = { domid: 0, privileged: true, target: undefined }

/** What the guest reads: permissions n0,rN. Relative to its folder; a folder has no value. */
const READ_ONLY: readonly [path: string, value: (domid: number) => string][] = [
  ['name', nameOf],
  ['domid', String],
  ['vm', vmPath],
  ['memory', () => ''],
  ['memory/static-max', () => '131072'],
  ['memory/target', () => '131072'],
  ['memory/videoram', () => '0'],
  ['cpu', () => ''],
  ['cpu/0', () => ''],
  ['cpu/0/availability', () => 'online'],
  ['device', () => ''],
  ['device/suspend', () => ''],
  ['control', () => ''],
  ['control/platform-feature-multiprocessor-suspend', () => '1'],
  ['control/platform-feature-xs_reset_watches', () => '1'],
  ['store', () => ''],
  ['store/port', () => '1'],
  ['store/ring-ref', () => '1'],
  ['console', () => ''],
  ['console/backend', (domid) => `/local/domain/0/backend/console/${domid}/0`],
  ['console/limit', () => '1048576'],
  ['console/type', () => 'xenconsoled'],
  ['console/output', () => 'pty'],
  ['console/port', () => '2'],
  ['console/ring-ref', () => '2'],
]

/** What the guest owns: permissions nN. */
const WRITABLE = [
  'control/shutdown',
  'control/feature-poweroff',
  'control/feature-reboot',
  'control/feature-suspend',
  'control/sysrq',
  'device/suspend/event-channel',
  'data',
  'drivers',
  'feature',
  'attr',
  'error',
]

/** The store as the toolstack fills it for a domain that is created, and empties it when it destroys one. */
export class DefaultLayout {
  readonly #store: NodeStore
  readonly #nodes: NodeAccess

  constructor(store: NodeStore, rules: Rules) {
    this.#store = store
    this.#nodes = new NodeAccess(store, TOOLSTACK, rules)
  }

  /** What domain 0 writes of itself when it starts. */
  makeDomain0(): void {
    this.#write(`${domainPath(0)}/domid`, '0')
    this.#write(`${domainPath(0)}/name`, 'Domain-0')
  }

  makeGuest(domid: number): void {
    const folder = domainPath(domid)
    const readOnly = [entry(0, false), entry(domid, true)]
    this.#write(folder, '', readOnly)
    for (const [path, value] of READ_ONLY) this.#write(`${folder}/${path}`, value(domid), readOnly)
    for (const path of WRITABLE) this.#write(`${folder}/${path}`, '', [entry(domid, false)])
    this.#write(`${folder}/console/backend-id`, '0', [entry(domid, false)])
    this.#write(vmPath(domid), '', readOnly)
    this.#write(`${vmPath(domid)}/name`, nameOf(domid), readOnly)
    this.#write(`${vmPath(domid)}/uuid`, uuidOf(domid), readOnly)
    this.#write(`/libxl/${domid}/type`, 'pv')
  }

  /** What the toolstack removes of a domain before it destroys it. */
  removeGuest(domid: number): void {
    for (const path of [vmPath(domid), domainPath(domid), `/libxl/${domid}`]) {
      try {
        this.#nodes.remove(path)
      } catch (error) {
        // Somebody has removed what it is in.
        if (!(error instanceof Refusal)) throw error
      }
    }
  }

  #write(path: string, value: string, permissions?: readonly Permission[]): void {
    this.#nodes.write(path, Buffer.from(value))
    if (permissions !== undefined) this.#nodes.setPermissions(path, this.#store.domains.mark(permissions))
  }
}

function entry(domid: number, read: boolean): Permission {
  return { domid, read, write: false, ignored: false }
}

function nameOf(domid: number): string {
  return `domain-${domid}`
}

/** The same each time. */
function uuidOf(domid: number): string {
  return `00000000-0000-4000-8000-${domid.toString(16).padStart(12, '0')}`
}

function vmPath(domid: number): string {
  return `/vm/${uuidOf(domid)}`
}

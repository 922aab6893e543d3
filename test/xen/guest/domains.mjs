import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A bound, and no measure: a guest boots in the emulation beside whatever else the machine does. */
const BOOT_MS = 150_000
const COMMAND_MS = 60_000

/** What of dom0's own files a guest gets: with Node and the package, or only the C peers. */
const SMALL =
  'init agent.sh bin/busybox lib lib64 usr/lib/xen/bin/xenstore-read usr/lib/xen/bin/xenstore-write usr/lib/xen/bin/vchan-socket-proxy modules peers'
const FILES = { small: SMALL, node: `${SMALL} usr/bin/node package` }
/** The kernel's unpacker makes no directory that is not an entry of its own. */
const PARENTS = 'bin usr usr/bin usr/lib usr/lib/xen usr/lib/xen/bin'
const MEMORY_MB = { small: 192, node: 640 }

function command(name, ...args) {
  return execFileSync(name, args.map(String), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_MS,
  }).trim()
}

async function until(what, ms, probe) {
  const deadline = performance.now() + ms
  for (;;) {
    const result = probe()
    if (result !== undefined) return result
    if (performance.now() > deadline) throw new Error(`${what}: nothing after ${ms / 1000} s`)
    await sleep(300)
  }
}

let toolstack

/** Whether the process of another suite has started it: a second xenstored ends at once, but takes the socket along. */
function xenstoredRuns() {
  try {
    process.kill(Number(readFileSync('/run/xenstored.pid', 'utf8')), 0)
    return true
  } catch {
    return false
  }
}

/** Xenstore and the console daemon: needed before the first `xl`. */
export function startToolstack() {
  toolstack ??= (async () => {
    if (xenstoredRuns()) return
    writeFileSync('/etc/xen/xl.conf', 'autoballoon="0"\n')
    command('xenstored', '--pid-file', '/run/xenstored.pid')
    await until('xenstored', 10_000, () => (existsSync('/run/xenstored/socket') ? true : undefined))
    command('xen-init-dom0')
    spawn('xenconsoled', ['--log=all', '--log-dir=/var/log/xen', '--interactive'], {
      stdio: 'ignore',
    }).unref()
  })()
  return toolstack
}

/** Those that this process has booted and not destroyed: promises, by their names. */
const guests = new Map()

/**
 * A guest, booted by the first test that needs it: --only may choose any.
 * @param kind 'small' (C peers alone) or 'node'
 */
export function guest(name, kind) {
  if (!guests.has(name)) guests.set(name, Guest.boot(name, kind))
  return guests.get(name)
}

/** Whether Xen still has a domain that has been destroyed here: it does while somebody maps its pages. */
export function lingering() {
  const [, ...lines] = command('xl', 'list').split('\n')
  return lines.map((line) => line.split(' ')[0]).some((name) => name !== 'Domain-0' && !guests.has(name))
}

/** A paravirtualised guest domain that runs commands for the test. */
export class Guest {
  #number = 0

  constructor(name, domid) {
    this.name = name
    this.domid = domid
  }

  /** Boots a guest out of dom0's own root file system. @param kind 'small' or 'node' */
  static async boot(name, kind) {
    await startToolstack()
    const ramdisk = `/tmp/${kind}.cpio`
    if (!existsSync(ramdisk)) {
      const list = `set -e -o pipefail; cd /; (printf '%s\\n' ${PARENTS}; find ${FILES[kind]}) | cpio -o -H newc >${ramdisk}`
      execFileSync('sh', ['-c', list], { stdio: ['ignore', 'ignore', 'pipe'], timeout: COMMAND_MS })
    }
    const config = {
      name: `"${name}"`,
      type: '"pv"',
      kernel: '"/boot/vmlinuz"',
      ramdisk: `"${ramdisk}"`,
      extra: '"console=hvc0 quiet panic=1 xg.role=guest"',
      memory: MEMORY_MB[kind],
      vcpus: 1,
      on_crash: '"destroy"',
      on_reboot: '"destroy"',
    }
    const lines = Object.entries(config).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(`/tmp/${name}.cfg`, lines.join(''))
    command('xl', 'create', `/tmp/${name}.cfg`)
    const guest = new Guest(name, Number(command('xl', 'domid', name)))
    await guest.#result(0, BOOT_MS)
    return guest
  }

  /** Runs a shell command in the guest. @returns what it printed, and its exit code */
  async run(text) {
    this.give(text)
    return this.#result(this.#number, COMMAND_MS)
  }

  /**
   * The last command of a guest, which does not end. Until it does the guest looks for no other one, ten times a second,
   * which would be measured with what is.
   */
  give(text) {
    command('xenstore-write', '-R', this.#path('command'), `${++this.#number} ${text}`)
  }

  /** Ends the domain at once. It stays as a zombie while somebody maps its pages. */
  destroy() {
    guests.delete(this.name)
    command('xl', 'destroy', this.name)
  }

  async #result(number, ms) {
    try {
      return await until(`guest ${this.name}`, ms, () => {
        const result = /^(\d+) (\d+) ?([\s\S]*)$/.exec(this.#read())
        return result && Number(result[1]) === number
          ? { code: Number(result[2]), output: result[3] }
          : undefined
      })
    } catch (error) {
      error.message += `\nits console:\n${this.#consoleTail()}`
      throw error
    }
  }

  #read() {
    try {
      return command('xenstore-read', '-R', this.#path('result'))
    } catch (error) {
      // Not there until the guest has booted.
      if (/couldn't read/.test(error.stderr)) return ''
      throw error
    }
  }

  #path(key) {
    return `/local/domain/${this.domid}/data/${key}`
  }

  #consoleTail() {
    const log = `/var/log/xen/guest-${this.name}.log`
    return existsSync(log) ? readFileSync(log, 'latin1').slice(-2000) : `${log} does not exist`
  }
}

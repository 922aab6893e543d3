// The unmodified xenstored of Xen 4.17 (Debian), and the one in OCaml, run without Xen: stand-in.c answers what they ask of the
// hypervisor.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { unpacked } from '../xen/lib/paths.mjs'
import { call } from './raw-store.mjs'

const programs = join(unpacked, 'usr/lib/xen-4.17/bin')
/** By whose rules: xenstored in C, which any user can run, and oxenstored. */
const binaries = { C: join(programs, 'xenstored'), ox: join(programs, 'oxenstored') }
const source = fileURLToPath(new URL('./stand-in.c', import.meta.url))
const HEADER = '/usr/include/xenctrl.h'

/** Why there can be none on this machine, or undefined. `sh test/xen/install.sh` brings what is missing. */
export function whyNot(rules = 'C') {
  const binary = binaries[rules]
  if (rules === 'ox' && process.getuid() !== 0) return 'oxenstored makes /run/xenstored, which takes root'
  if (!existsSync(binary)) return 'test/xen/install.sh has not fetched it'
  if (!existsSync(HEADER)) return `${HEADER} is missing (libxen-dev)`
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' })
  } catch {
    return 'there is no gcc'
  }
  const missing = execFileSync('ldd', [binary], { encoding: 'utf8' }).match(/\S+ => not found/)
  return missing ? `it lacks ${missing[0]}` : undefined
}

/** Compiled once by each process, and removed with it. */
let library

function compile() {
  const folder = mkdtempSync(join(tmpdir(), 'xenstored-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'stand-in.so')
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-w', '-o', file, source, '-lpthread'])
  return file
}

/** @returns a daemon of its own, with an empty store. Of oxenstored only domain 0 is to be relied upon */
export async function startXenstored(rules = 'C') {
  const dir = mkdtempSync(join(tmpdir(), 'xenstored-'))
  library ??= compile()
  const daemon = new Xenstored(dir, library, rules)
  try {
    await daemon.start()
  } catch (error) {
    await daemon.stop()
    throw error
  }
  return daemon
}

class Xenstored {
  #dir
  #library
  #rules
  #process
  #output = ''
  #domains = new Set()

  constructor(dir, library, rules) {
    this.#dir = dir
    this.#library = library
    this.#rules = rules
  }

  /** A client of it has the rights of domain 0. */
  get socket() {
    return join(this.#dir, 'socket')
  }

  /** A client of it is that domain. One at a time, and what one leaves behind is the next one's. */
  ring(domid) {
    return join(this.#dir, `ring-${domid}`)
  }

  get pid() {
    return this.#process.pid
  }

  async start() {
    const env = {
      ...process.env,
      STAND_IN_DIR: this.#dir,
      XENSTORED_RUNDIR: this.#dir,
      XENSTORED_ROOTDIR: this.#dir,
      LD_PRELOAD: this.#library,
    }
    const args = this.#rules === 'ox' ? ['--no-fork', '--config-file', this.#configuration()] : ['-N']
    this.#process = spawn(binaries[this.#rules], args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const listen = (chunk) => {
      this.#output += chunk
    }
    this.#process.stdout.on('data', listen)
    this.#process.stderr.on('data', listen)
    // Nothing tells when it listens.
    while (!(await this.#answers())) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null)
        throw new Error(`xenstored ended at once:\n${this.#output}`)
      await delay(5)
    }
  }

  #configuration() {
    const file = join(this.#dir, 'oxenstored.conf')
    const settings = {
      'pid-file': join(this.#dir, 'pid'),
      persistent: false,
      'xenstored-log-file': join(this.#dir, 'log'),
      'access-log-file': join(this.#dir, 'access'),
      'xenstored-kva': '/proc/xen/xsd_kva',
      'xenstored-port': '/proc/xen/xsd_port',
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`)
    writeFileSync(file, lines.join(''))
    return file
  }

  async #answers() {
    return existsSync(this.socket) && (await call(this.socket, 2, '/\0').catch(() => undefined)) !== undefined
  }

  /** As the toolstack does: the domain's directory, which it may read, and its data, which is its own. */
  async createDomain(domid) {
    writeFileSync(join(this.#dir, `dom-${domid}`), '')
    const home = `/local/domain/${domid}`
    await this.#call(12, `${home}\0`)
    await this.#call(14, `${home}\0n0\0r${domid}\0`)
    await this.#call(11, `${home}/domid\0${domid}`)
    await this.#call(12, `${home}/data\0`)
    await this.#call(14, `${home}/data\0n${domid}\0`)
    await this.#call(8, `${domid}\0${1}\0${1}\0`)
    this.#domains.add(domid)
  }

  /** Its own nodes go, and @releaseDomain fires; the toolstack removes its directory after that. */
  async destroyDomain(domid) {
    if (!this.#domains.delete(domid)) return
    unlinkSync(join(this.#dir, `dom-${domid}`))
    while ((await this.#call(17, `${domid}\0`)) === 'T\0') await delay(2)
    await this.#call(13, `/local/domain/${domid}\0`)
  }

  #call(type, payload) {
    return call(this.socket, type, payload)
  }

  /** xenstored in C goes on as a new process image, which forgets open transactions and nothing else. */
  async liveUpdate() {
    const control = join(programs, 'xenstore-control')
    const env = { ...process.env, XENSTORED_PATH: this.socket }
    await promisify(execFile)(control, ['live-update', '-F', '-t', '1', binaries.C], { env })
  }

  async kill(signal = 'SIGKILL') {
    const ended = once(this.#process, 'exit')
    if (this.#process.exitCode === null && this.#process.signalCode === null && this.#process.kill(signal))
      await ended
  }

  /** Whether it has ended in a way of its own. */
  get crashed() {
    return this.#process.signalCode
  }

  async stop() {
    if (this.#process) await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

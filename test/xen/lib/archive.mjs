import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A directory that becomes one compressed cpio archive. Entries are given by their path inside the guest. */
export class Archive {
  #directory

  constructor(directory) {
    this.#directory = directory
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
  }

  /** Copies a file or a tree; a symbolic link becomes what it points to. */
  add(source, inside, options = {}) {
    const target = join(this.#directory, inside)
    mkdirSync(dirname(target), { recursive: true })
    cpSync(realpathSync(source), target, { recursive: true, dereference: true, ...options })
  }

  addIfPresent(source, inside, options) {
    if (existsSync(source)) this.add(source, inside, options)
  }

  /** gzip -1: the guest unpacks under emulation, and the archive is thrown away after the boot. */
  write(file) {
    const script =
      'find . -print0 | sort -z | cpio --null --create --format=newc --owner=0:0 --quiet | gzip -1 >"$0"'
    execFileSync('sh', ['-euc', script, file], { cwd: this.#directory, stdio: 'inherit', timeout: 120_000 })
  }
}

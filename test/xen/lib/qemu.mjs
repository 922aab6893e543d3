import { spawn } from 'node:child_process'
import { createWriteStream, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tail } from './tail.mjs'

/** Console lines that mean the run is lost or a kernel is broken, even if every test says it passed. */
const TROUBLE =
  /Kernel panic|\bOops\b|\bBUG\b|Call Trace|general protection fault|unable to handle|soft lockup|Xen (?:BUG|call trace)|Panic on CPU|FATAL (?:TRAP|PAGE FAULT)|Domain 0 crashed/

/** After the guest said it is done, powering off takes a second or two. */
const POWER_OFF_MS = 30_000
/** What follows a panic line explains it; a guest that reboots ends QEMU by itself. */
const AFTER_TROUBLE_MS = 5_000

/**
 * The documented command line. The console is the first serial port, which Xen owns; the results go through the second
 * one, which dom0 drives alone, so that no kernel message can land inside a result.
 */
export function qemuCommand(
  work,
  { hypervisor, kernel, image },
  { memory = 3072, interactive = false, instructions = false } = {},
) {
  // Relative names: a comma or a space in the path of the checkout would break the -initrd argument.
  symlinkSync(hypervisor, join(work, 'xen.elf'))
  symlinkSync(kernel, join(work, 'vmlinuz'))
  if (image !== join(work, 'initramfs.gz')) symlinkSync(image, join(work, 'initramfs.gz'))
  writeFileSync(join(work, 'results'), '')
  // One processor whose clock counts instructions, one a nanosecond, whatever else this machine does.
  const counting = ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-smp', '1']
  const processors = instructions ? counting : ['-accel', 'tcg,thread=multi', '-smp', '2']
  return [
    'qemu-system-x86_64',
    ...[...processors, '-cpu', 'qemu64', '-m', String(memory)],
    ...['-nographic', '-nodefaults', '-no-reboot'],
    ...['-serial', interactive ? 'mon:stdio' : 'stdio', '-serial', 'file:results'],
    ...['-kernel', 'xen.elf'],
    ...['-append', `console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning dom0_mem=1500M`],
    ...['-initrd', 'vmlinuz console=hvc0 earlyprintk=xen quiet panic=1,initramfs.gz'],
  ]
}

/** Boots and waits. @returns {Promise<{ outcome: string, trouble: string[], lastLines: string[] }>} */
export function boot(command, { work, consoleLog, timeoutMs, onResultLine, isDone }) {
  return new Promise((resolve, reject) => {
    const log = createWriteStream(consoleLog)
    const child = spawn(command[0], command.slice(1), { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] })
    const trouble = []
    const lastLines = []
    let outcome = 'ended'
    let partial = ''
    let ending

    const endSoon = (reason, ms) => {
      ending ??= setTimeout(() => {
        outcome = reason
        child.kill('SIGKILL')
      }, ms)
    }
    const readConsole = (chunk) => {
      log.write(chunk)
      const lines = (partial + chunk.toString('latin1')).split(/\r*\n/)
      partial = lines.pop()
      for (const line of lines) {
        lastLines.push(line)
        if (lastLines.length > 60) lastLines.shift()
        if (!TROUBLE.test(line)) continue
        trouble.push(line)
        endSoon('kernel trouble', AFTER_TROUBLE_MS)
      }
    }
    const results = new Tail(join(work, 'results'), (line) => {
      onResultLine(line)
      if (isDone()) endSoon('powering off took too long', POWER_OFF_MS)
    })
    const timeout = setTimeout(() => {
      outcome = 'timeout'
      child.kill('SIGKILL')
    }, timeoutMs)

    child.stdout.on('data', readConsole)
    child.stderr.on('data', readConsole)
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timeout)
      clearTimeout(ending)
      results.end()
      if (partial) lastLines.push(partial)
      log.end(() => resolve({ outcome, trouble, lastLines }))
    })
    // Ctrl-C must not leave an emulator behind.
    process.once('exit', () => child.kill('SIGKILL'))
  })
}

/** A shell in the guest on this terminal. QEMU's escape is Ctrl-A X. */
export function bootInteractive(command, work) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd: work, stdio: 'inherit' })
    child.on('error', reject)
    child.on('close', resolve)
    process.once('exit', () => child.kill('SIGKILL'))
  })
}

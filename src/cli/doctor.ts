import process from 'node:process'
import { diagnose, type Finding } from '../index.js'

const marks: Record<Finding['status'], string> = {
  ok: 'ok  ',
  attention: 'NOTE',
  missing: 'FAIL',
  unknown: '?   ',
}

export async function doctor({ json, device }: { json?: boolean; device: string }): Promise<void> {
  const { ready, findings } = await diagnose({ device })
  if (json) {
    process.stdout.write(`${JSON.stringify({ ready, findings }, null, 2)}\n`)
  } else {
    for (const { check, status, message, remedy } of findings) {
      process.stdout.write(`${marks[status]}  ${check.padEnd(15)} ${message}\n`)
      if (remedy) process.stdout.write(`${' '.repeat(22)}→ ${remedy}\n`)
    }
    process.stdout.write(
      ready ? '\nPages can be granted on this machine.\n' : '\nNo pages can be granted on this machine.\n',
    )
  }
  if (!ready) process.exitCode = 1
}

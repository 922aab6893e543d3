import { GrantError } from '../errors.js'
import { type DeviceKind, udevFile, udevRule } from './catalogue.js'

const ADVICE: Record<string, (kind: DeviceKind) => string> = {
  ENOENT: ({ kernelModule }) =>
    kernelModule === undefined
      ? 'not found. Is this a Xen domain?'
      : `not found. Is this a Xen domain, and is the driver loaded? Try: modprobe ${kernelModule}`,
  ENODEV: noDriver,
  ENXIO: noDriver,
  EACCES: (kind) =>
    `permission denied. The device belongs to root: run as root, or give a group access with a udev rule: ${udevRule(kind)} in ${udevFile(kind)}`,
  EPERM: () => 'not permitted here. A container needs the device passed to it (docker run --device)',
  EISDIR: () => 'is a directory, not a device',
  EROFS: () => 'is on a read-only file system; the device has to be opened for writing',
}

function noDriver({ kernelModule }: DeviceKind): string {
  return kernelModule === undefined
    ? 'no driver behind it. Is this a Xen domain?'
    : `no driver behind it. Load it with: modprobe ${kernelModule}`
}

/** The error of a failed open, with what to do about it. */
export function openFailure(kind: DeviceKind, path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, errno } = error as NodeJS.ErrnoException
  // No code: the path itself was no path, which is the caller's mistake and already well worded.
  if (code === undefined || errno === undefined) return error
  const advice = ADVICE[code]?.(kind) ?? error.message
  return new GrantError(code, `opening ${path}: ${advice}`, { errno, syscall: 'open', path, cause: error })
}

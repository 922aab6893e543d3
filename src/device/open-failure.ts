import { GrantError } from '../errors.js'

/** One of Xen's devices, as far as opening it goes. */
export interface XenDevice {
  /** Where it is, unless somebody has moved it. */
  readonly path: string
  /** The kernel module behind it. */
  readonly module: string
  /** What it is, for messages: 'the grant device'. */
  readonly kind: string
}

const ADVICE: Record<string, (device: XenDevice) => string> = {
  ENOENT: ({ module }) =>
    `not found. Is this a Xen domain, and is the driver loaded? Try: modprobe ${module}`,
  ENODEV: ({ module }) => `no driver behind it. Load it with: modprobe ${module}`,
  ENXIO: ({ module }) => `no driver behind it. Load it with: modprobe ${module}`,
  EACCES: (device) =>
    `permission denied. The device belongs to root: run as root, or give a group access with a udev rule: ${udevRule(device)}`,
  EPERM: () => 'not permitted here. A container needs the device passed to it (docker run --device)',
  EISDIR: () => 'is a directory, not a device',
  EROFS: () => 'is on a read-only file system; the device has to be opened for writing',
}

function udevRule({ path, module }: XenDevice): string {
  return `KERNEL=="${path.slice('/dev/'.length)}", GROUP="xen", MODE="0660" in /etc/udev/rules.d/60-${module}.rules`
}

/** The error of a failed open, with what to do about it. */
export function openFailure(device: XenDevice, path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, errno } = error as NodeJS.ErrnoException
  // No code: the path itself was no path, which is the caller's mistake and already well worded.
  if (code === undefined || errno === undefined) return error
  const advice = ADVICE[code]?.(device) ?? error.message
  return new GrantError(code, `opening ${path}: ${advice}`, { errno, syscall: 'open', path, cause: error })
}

import { GrantError } from '../errors.js'

const ADVICE: Record<string, string> = {
  ENOENT: 'not found. Is this a Xen domain, and is the driver loaded? Try: modprobe xen-gntalloc',
  ENODEV: 'no driver behind it. Load it with: modprobe xen-gntalloc',
  ENXIO: 'no driver behind it. Load it with: modprobe xen-gntalloc',
  EACCES:
    'permission denied. The device belongs to root: run as root, or give a group access with a udev rule',
  EPERM: 'not permitted here. A container needs the device passed to it (docker run --device)',
  EISDIR: 'is a directory, not a device',
  EROFS: 'is on a read-only file system; the device has to be opened for writing',
}

const UDEV_RULE = `KERNEL=="xen/gntalloc", GROUP="xen", MODE="0660" in /etc/udev/rules.d/60-xen-gntalloc.rules`

/** The error of a failed open, with what to do about it. */
export function openFailure(path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, errno } = error as NodeJS.ErrnoException
  // No code: the path itself was no path, which is the caller's mistake and already well worded.
  if (code === undefined || errno === undefined) return error
  let advice = ADVICE[code] ?? error.message
  if (code === 'EACCES') advice += `: ${UDEV_RULE}`
  return new GrantError(code, `opening ${path}: ${advice}`, { errno, syscall: 'open', path, cause: error })
}

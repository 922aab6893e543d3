/**
 * How the device worker gets its device: plain data that crosses threads. `module` is the URL of a module that exports
 * `openDevice(options): GrantDevice | Promise<GrantDevice>`.
 */
export interface DeviceDescriptor {
  module: string
  /** Given to `openDevice` as it is; structured-cloneable. */
  options: unknown
  /** What to call the device in messages. */
  path: string
  /** True when no real Xen is behind it. */
  simulated: boolean
}

import { InvalidArgumentError } from 'commander'

/** A service of another domain. */
export interface ServiceAddress {
  domid: number
  name: string | undefined
}

/** @param text `7` or `7:name`. @throws InvalidArgumentError */
export function serviceAddress(text: string): ServiceAddress {
  const [, domid, name] = /^([0-9]{1,5})(?::([A-Za-z0-9_@-]{1,12}))?$/.exec(text) ?? []
  if (domid === undefined)
    throw new InvalidArgumentError('must be a domid, or a domid and a service: 7 or 7:name.')
  return { domid: Number(domid), name }
}

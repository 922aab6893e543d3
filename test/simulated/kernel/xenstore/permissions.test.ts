import { expect, it } from 'vitest'
import { Rights, rightsOf } from '../../../../src/simulated/kernel/xenstore/node-permissions.js'

const entry = (domid: number, access: string, ignored = false) => ({
  domid,
  read: access.includes('r'),
  write: access.includes('w'),
  ignored,
})
const guest = (domid: number, target?: number) => ({ domid, privileged: false, target })

it('a domain may do what the entry with its number says, or else the first', () => {
  const permissions = [entry(3, 'r'), entry(7, 'w'), entry(8, 'rw')]
  const rights = (domid: number, target?: number): number => rightsOf(permissions, guest(domid, target))
  expect([rights(3), rights(7), rights(8), rights(9)]).toEqual([
    Rights.all,
    Rights.write,
    Rights.read | Rights.write,
    Rights.read,
  ])
  expect([rights(9, 3), rights(9, 8)], 'also in the name of its target').toEqual([Rights.all, 3])
  expect(rightsOf(permissions, { domid: 9, privileged: true, target: undefined })).toBe(Rights.all)
})

it('an entry of a domain that had the number before is none', () => {
  expect(rightsOf([entry(3, ''), entry(7, 'rw', true)], guest(7))).toBe(Rights.none)
})

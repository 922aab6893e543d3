import { describe, expect, it } from 'vitest'
import { TestStore, Type } from './support.js'

const OK = 'OK\0'

function setUp() {
  const store = new TestStore()
  const program = store.program()
  program.watch('@introduceDomain', 'i')
  program.watch('@releaseDomain', 'r')
  program.events()
  const introduced = (domid: number | string) => program.ask(Type.isDomainIntroduced, `${domid}\0`)
  return { store, program, introduced }
}

describe('domains', () => {
  it('are introduced once, with an event; again they begin anew without one', () => {
    const { store, program, introduced } = setUp()
    store.domains.add(5)
    expect(introduced(5)).toBe('F\0')
    expect(program.ask(Type.introduce, '5\x001\x001\0')).toBe(OK)
    expect([introduced(5), program.events()]).toEqual(['T\0', ['@introduceDomain i']])
    const ring = store.ring(5)
    ring.watch('data')
    ring.begin()
    ring.events()
    expect(program.ask(Type.introduce, '5\x001\x001\0')).toBe(OK)
    expect([program.events(), ring.events()]).toEqual([[], []])
    expect(store.daemon.count(5)).toEqual({ connections: 1, watches: 0, transactions: 0 })
  })

  it.each([
    ['9\x001\x001\0', 'EINVAL'],
    ['5\x001\0', 'EINVAL'],
    ['5\x001\x000\0', 'EINVAL'],
    ['5\x001\x001', 'EINVAL'],
    ['5\x001\x001\0more\0', OK],
  ])('INTRODUCE %j', (payload, answer) => {
    const { store, program } = setUp()
    store.domains.add(5)
    expect(program.ask(Type.introduce, payload)).toBe(answer)
  })

  it('are named by numbers, read as C reads them', () => {
    const { program, introduced } = setUp()
    expect(program.ask(Type.getDomainPath, '77\0')).toBe('/local/domain/77\0')
    expect(program.ask(Type.getDomainPath, 'abc\0')).toBe('/local/domain/0\0')
    expect(program.ask(Type.getDomainPath, '-1\0')).toBe('/local/domain/4294967295\0')
    expect(program.ask(Type.getDomainPath, '7')).toBe('EINVAL')
    expect([introduced('0'), introduced('0x5'), introduced(32752), introduced('')]).toEqual([
      'T\0',
      'T\0',
      'T\0',
      'T\0',
    ])
  })

  it('that are released lose their connections and what they own, wherever it is and whatever is below', () => {
    const { store, program, introduced } = setUp()
    const guest = store.guest(5)
    program.write('/local/domain/5/data/x/y')
    program.write('/elsewhere/of5/below')
    program.allow('/local/domain/5/data', 'n5')
    program.allow('/elsewhere/of5', 'n5')
    program.watch('/', 'w')
    program.watch('/elsewhere/of5/below', 'b')
    program.events()
    expect(program.ask(Type.release, '5\0')).toBe(OK)
    expect(guest.hungUp).toBe(true)
    expect(introduced(5)).toBe('F\0')
    expect([program.list('/local/domain/5'), program.list('/elsewhere')]).toEqual([[], []])
    expect(program.events().sort()).toEqual([
      '/elsewhere/of5 w',
      '/elsewhere/of5/below b',
      '/local/domain/5/data w',
      '@releaseDomain r',
    ])
    expect(program.ask(Type.release, '5\0')).toBe('ENOENT')
    expect(program.ask(Type.release, '0\0')).toBe('EINVAL')
  })

  it('that shut down are told of once, until they are resumed, and again at their end', () => {
    const { store, program } = setUp()
    store.guest(5)
    program.events()
    store.daemon.domainShutDown(5)
    store.daemon.domainShutDown(5)
    store.daemon.domainShutDown(6)
    expect(program.events()).toEqual(['@releaseDomain r'])
    expect(program.ask(Type.resume, '5\0')).toBe(OK)
    store.daemon.domainShutDown(5)
    expect(program.events()).toEqual(['@releaseDomain r'])
    store.destroy(5)
    expect(program.events()).toEqual(['@releaseDomain r'])
    expect(program.ask(Type.resume, '5\0')).toBe('ENOENT')
  })

  it('are kept as long as another has their rights', () => {
    const { store, program, introduced } = setUp()
    const [helper, target] = [store.guest(5), store.guest(6)]
    program.write('/a')
    program.allow('/a', 'n6')
    program.ask(Type.setTarget, '5\x006\0')
    program.events()
    store.destroy(6)
    expect(target.hungUp).toBe(true)
    expect([introduced(6), helper.read('/a'), program.events()]).toEqual(['T\0', '', []])
    expect(program.ask(Type.resume, '6\0')).toBe('EINVAL')
    store.destroy(5)
    expect([introduced(5), introduced(6), program.read('/a')]).toEqual(['F\0', 'F\0', 'ENOENT'])
    expect(program.events()).toEqual(['@releaseDomain r', '@releaseDomain r'])
  })

  it('that own the root do not take it with them', () => {
    const { store, program } = setUp()
    store.guest(5)
    program.write('/a')
    program.allow('/', 'n5')
    store.destroy(5)
    expect([program.permissions('/'), program.list('/')]).toEqual(['n0\0', ['tool', 'a']])
  })
})

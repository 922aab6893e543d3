import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { SimulatedXen } from 'xen-grants/simulated'
import { fixture, withXen } from './support.js'

describe('SimulatedXen.create', () => {
  it.each([
    [{ limt: 3 }, 'TypeError', 'ERR_INVALID_ARG_VALUE', "Did you mean 'limit'?"],
    [{ limit: '3' }, 'TypeError', 'ERR_INVALID_ARG_TYPE', '"options.limit" property must be of type number'],
    [{ limit: 2 ** 31 }, 'RangeError', 'ERR_OUT_OF_RANGE', '"options.limit"'],
    [{ tableCapacity: 8 }, 'RangeError', 'ERR_OUT_OF_RANGE', '>= 9'],
    [{ ioctlDelay: -1 }, 'RangeError', 'ERR_OUT_OF_RANGE', '"options.ioctlDelay"'],
    [{ driverBugs: 1 }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'of type boolean'],
    [{ freePerIteration: 0.5 }, 'RangeError', 'ERR_OUT_OF_RANGE', 'an integer'],
    [{ freeInterval: 0 }, 'RangeError', 'ERR_OUT_OF_RANGE', '>= 1'],
    [{ path: 7 }, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'of type string'],
    [null, 'TypeError', 'ERR_INVALID_ARG_TYPE', 'Received null'],
  ])('refuses %j', async (options, name, code, message) => {
    await expect(SimulatedXen.create(options as never)).rejects.toMatchObject({
      name,
      code,
      message: expect.stringContaining(message),
    })
  })

  it('takes undefined for the default', () =>
    withXen({ limit: undefined as never }, async (xen) => {
      await expect(xen.setLimit(1.5)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
      await xen.setLimit(-1)
    }))
})

describe('a process that uses a simulated Xen', () => {
  it('ends although it has closed nothing', () => {
    expect(execFileSync(process.execPath, [fixture('idle.mjs')], { encoding: 'utf8' })).toBe('done\n')
  })

  it('may be a one-liner', () => {
    const program = `
      const { SimulatedXen } = await import('xen-grants/simulated')
      const xen = await SimulatedXen.create()
      console.log((await xen.counters()).sessions)
      await xen.close()`
    const args = ['--input-type=module', '--eval', program]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe('0\n')
  })

  it('does not load native code by importing it', () => {
    const program = `
      await import('xen-grants/simulated')
      console.log(process.report.getReport().sharedObjects.some((path) => path.includes('koffi')))`
    const args = ['--input-type=module', '--eval', program]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe('false\n')
  })

  it('is told when it cannot work there', () => {
    const program = `
      Object.defineProperty(process, 'platform', { value: 'win32' })
      const { SimulatedXen } = await import('xen-grants/simulated')
      for (const start of [() => SimulatedXen.create(), () => SimulatedXen.attach('/nowhere')])
        await start().catch((error) => console.log(error.name, error.code))`
    const args = ['--input-type=module', '--eval', program]
    const line = 'GrantError ERR_GRANTS_UNSUPPORTED\n'
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe(line + line)
  })
})

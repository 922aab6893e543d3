import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { importOwn, leftBehind, ownFile } from '../../src/native/own-file.js'

it('a file is found beside its caller', () => {
  expect(leftBehind(ownFile('./own-file.test.ts', import.meta.url))).toBeUndefined()
})

it('without import.meta, as in a CommonJS bundle, nothing throws before the file is needed, and then a bundler is named', () => {
  const file = ownFile('../../workers/device.js', undefined)
  expect(leftBehind(file)).toMatch(/device\.js is not there.*--external:xen-grants/)
})

it('what has been left behind and is imported names the bundler; what fails by itself does not', async () => {
  const gone = ownFile('./gone.js', import.meta.url).href
  await expect(importOwn(gone)).rejects.toMatchObject({
    name: 'GrantError',
    code: 'ERR_GRANTS_UNSUPPORTED',
    message: expect.stringContaining('--external:xen-grants'),
    cause: expect.anything(),
  })
  const throwing = `data:text/javascript,throw new RangeError('its own')`
  await expect(importOwn(throwing)).rejects.toThrow('its own')
  const there = pathToFileURL('test/fixtures/null-device.mjs').href
  await expect(importOwn(there)).resolves.toBeDefined()
})

import { expect, it } from 'vitest'
import { type System, thisSystem } from '../../src/diagnosis/system.js'
import { checkXenstore, storeToAsk } from '../../src/diagnosis/xenstore.js'
import { MessageType } from '../../src/drivers/xenbus/wire.js'
import { useServer } from '../xenstore/fixtures/scripted-server.js'

const server = useServer()

it('a xenstore that answers says which domain this is', async () => {
  const checked = server.peer().then(async (peer) => peer.reply(await peer.request(MessageType.read), '7'))
  await server.listen()
  const finding = await checkXenstore(server.path)
  await checked
  expect(finding).toMatchObject({
    check: 'xenstore',
    status: 'ok',
    message: expect.stringContaining('domain 7'),
  })
  await server.closed()
})

it('one that is not there is worth knowing, and no more', async () => {
  const finding = await checkXenstore('/absent/socket')
  expect(finding).toMatchObject({ status: 'attention', message: expect.stringContaining('/absent/socket') })
  expect(finding.remedy).toMatch(/granting needs none/)
})

it('in the control domain asks xenstored itself and not the kernel, which would wait for one that does not run', async () => {
  const system = (capabilities: string): System => ({
    ...thisSystem,
    read: async () => ({ text: capabilities }),
  })
  const { XENSTORED_PATH: named, XENSTORED_RUNDIR: folder } = process.env
  delete process.env.XENSTORED_PATH
  delete process.env.XENSTORED_RUNDIR
  try {
    expect(await storeToAsk(system('control_d'))).toBe('/run/xenstored/socket')
    expect(await storeToAsk(system(''))).toBeUndefined()
    process.env.XENSTORED_RUNDIR = '/there'
    expect(await storeToAsk(system('control_d'))).toBe('/there/socket')
    process.env.XENSTORED_PATH = '/named'
    expect(await storeToAsk(system('control_d'))).toBeUndefined()
  } finally {
    Object.assign(process.env, { XENSTORED_PATH: named, XENSTORED_RUNDIR: folder })
    if (named === undefined) delete process.env.XENSTORED_PATH
    if (folder === undefined) delete process.env.XENSTORED_RUNDIR
  }
})

import { expect, it } from 'vitest'
import { checkXenstore } from '../../src/diagnosis/xenstore.js'
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

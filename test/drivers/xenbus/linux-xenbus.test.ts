import { Socket } from 'node:net'
import koffi from 'koffi'
import { expect, it } from 'vitest'
import { CharDevice } from '../../../src/drivers/char-device.js'
import { openStoreDevice, XenbusDevice } from '../../../src/drivers/xenbus/linux-xenbus.js'

const [AF_UNIX, SOCK_STREAM, SOCK_NONBLOCK] = [1, 1, 0o4000]
const socketpair = koffi.load(null).func('int socketpair(int domain, int type, int protocol, void *ends)')

/** A descriptor that is read and written as the device is, and its other end. */
function pair(): { device: XenbusDevice; other: Socket } {
  const ends = new Int32Array(2)
  expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends)).toBe(0)
  return {
    device: new XenbusDevice(new CharDevice('/dev/pair', ends[0]!)),
    other: new Socket({ fd: ends[1]! }),
  }
}

const ended = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

it('writes each request whole, and tells what can be read, also what came before it listened', async () => {
  const { device, other } = pair()
  const arrived: string[] = []
  other.on('data', (chunk) => arrived.push(String(chunk)))
  device.write(Buffer.from('one'))
  other.write('before ')
  const read = await new Promise<string>((resolve, reject) => {
    let text = ''
    device.start({
      read: (bytes) => {
        text += Buffer.from(bytes).toString()
        if (text.endsWith('after')) resolve(text)
        else if (text === 'before ') other.write('after')
      },
      failed: reject,
    })
  })
  device.write(Buffer.from(' two'))
  device.close()
  await ended(other)
  expect([read, arrived.join('')]).toEqual(['before after', 'one two'])
})

it('tells that nothing more will come, and not when it has been closed', async () => {
  const { device, other } = pair()
  const failure = new Promise<Error>((resolve) => device.start({ read() {}, failed: resolve }))
  other.destroy()
  expect(await failure).toMatchObject({ name: 'GrantError', code: 'ECONNRESET', path: '/dev/pair' })
  expect(() => device.write(Buffer.from('late'))).toThrow(
    expect.objectContaining({ name: 'GrantError', code: 'EPIPE', syscall: 'write', path: '/dev/pair' }),
  )
  device.close()
  const closed = pair()
  let told = false
  closed.device.start({
    read() {},
    failed: () => {
      told = true
    },
  })
  closed.device.close()
  await ended(closed.other)
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toBe(false)
})

it('says what is wrong with a path that is not the device', () => {
  const isXen = expect.stringContaining('Is this a Xen domain?')
  expect(() => openStoreDevice({ path: '/dev/xen/no-such-device' })).toThrow(
    expect.objectContaining({ name: 'GrantError', code: 'ENOENT', syscall: 'open', message: isXen }),
  )
  const message = expect.stringContaining('/dev/xen/xenbus')
  for (const path of ['/dev/null', '/dev/zero', '/etc/passwd'])
    expect(() => openStoreDevice({ path })).toThrow(
      expect.objectContaining({ code: 'ENODEV', path, message }),
    )
})

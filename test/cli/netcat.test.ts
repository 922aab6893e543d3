// listen and connect, as processes in two domains of a simulated Xen.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { useXen } from '../setup/xen.js'
import { nothingLeft, type Running, run } from './two-ends.js'

const world = useXen({ limit: 4096 })
const folder = mkdtempSync(join(tmpdir(), 'xen-grants-netcat-'))
afterAll(() => rmSync(folder, { recursive: true }))

const listen = (...args: string[]): Running => run(world.xen, 3, 'listen', 'talk', '--domid', '5', ...args)
const connect = (...args: string[]): Running => run(world.xen, 5, 'connect', '3:talk', ...args)

describe('xen-grants listen and connect', () => {
  it('connect the standard inputs and outputs of two domains, until one of them closes', async () => {
    const server = listen()
    const client = connect('--quit-after', '0')
    client.stdin.write('a question\n')
    await server.printed('a question')
    server.stdin.write('an answer\n')
    await client.printed('an answer')
    client.stdin.end('and no more')
    expect(await client.end).toMatchObject({ code: 0, stdout: 'an answer\n', stderr: '' })
    expect(await server.end).toMatchObject({ code: 0, stdout: 'a question\nand no more' })
  })

  it('at the end of its input a client still gets the answer', async () => {
    const server = listen()
    const client = connect()
    client.stdin.end('question')
    await server.printed('question')
    server.stdin.end('answer')
    await client.printed('answer')
    server.child.kill('SIGINT')
    expect(await client.end).toMatchObject({ code: 0, stdout: 'answer', stderr: '' })
    expect((await server.end).code).toBe(0)
  })

  it('a large answer comes whole through a small window, to a reader that is slow to begin', async () => {
    const text = 'many words\n'.repeat(100_000)
    const server = listen('--window', '1024', '--quit-after', '0')
    const client = connect()
    client.child.stdout!.pause()
    server.stdin.end(text)
    await server.printed('listening')
    client.child.stdout!.resume()
    expect((await client.end).stdout === text).toBe(true)
    expect((await server.end).code).toBe(0)
  })

  it('--keep serves one after the other, and goes on when one has been killed', async () => {
    const server = listen('--keep')
    const first = connect()
    first.stdin.write('one\n')
    await server.printed('one')
    first.child.kill('SIGKILL')
    await first.end
    const second = connect('--quit-after', '0')
    second.stdin.write('two\n')
    await server.printed('one\ntwo\n')
    server.stdin.write('for the second\n')
    await second.printed('for the second')
    second.stdin.end()
    expect(await second.end).toMatchObject({ code: 0, stdout: 'for the second\n' })
    server.child.kill('SIGTERM')
    expect((await server.end).code).toBe(0)
    await nothingLeft(world.xen)
  })

  it('a reader of the output that has read enough ends it quietly, and nothing is left', async () => {
    const server = listen()
    const client = connect()
    server.stdin.write('a line\n')
    await client.printed('a line')
    client.child.stdout!.destroy()
    server.stdin.write('another\n')
    expect(await client.end).toMatchObject({ code: 0, stderr: '' })
    expect((await server.end).code).toBe(0)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('%s gives everything back', async (signal) => {
    const server = listen()
    const client = connect()
    client.stdin.write('hello')
    await server.printed('hello')
    client.child.kill(signal)
    expect((await client.end).code).toBe(signal === 'SIGINT' ? 130 : 143)
    expect((await server.end).code).toBe(0)
  })

  it('a service that is not there is waited for, for so long', async () => {
    const { code, stderr } = await connect('--timeout', '0').end
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('ETIMEDOUT') })
  })
})

describe('xen-grants listen --exec', () => {
  it('gives each connection to a command of its own, many at once, and tells it whose it is', async () => {
    const server = listen('--keep', '--exec', 'echo for $XEN_GRANTS_DOMID; cat')
    await server.printed('listening')
    const clients = ['one', 'two', 'three'].map((word) => {
      const client = connect()
      client.stdin.write(`${word}\n`)
      return [client, word] as const
    })
    for (const [client, word] of clients) await client.printed(`for 5\n${word}\n`)
    for (const [client] of clients) client.child.kill('SIGINT')
    for (const [client] of clients) expect((await client.end).code).toBe(130)
    server.child.kill('SIGINT')
    expect(await server.end).toMatchObject({ code: 0, stdout: '' })
    await nothingLeft(world.xen)
  })

  it('a command gets everything that a client has sent, and the client its answer', async () => {
    const file = join(folder, 'seen')
    const text = 'many words\n'.repeat(200_000)
    const server = listen('--exec', `head -c ${text.length} > ${file}; echo done`)
    const client = connect()
    client.stdin.end(text)
    expect(await client.end).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' })
    expect((await server.end).code).toBe(0)
    expect(readFileSync(file, 'utf8') === text).toBe(true)
  })

  it('a command that does not exist ends the connection, and is told', async () => {
    const server = listen('--exec', 'no-such-command')
    const client = connect()
    expect(await client.end).toMatchObject({ code: 0, stdout: '' })
    const { code, stderr } = await server.end
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('exit code 127') })
  })

  it('a command that does not end by itself is told to when its connection has ended', async () => {
    const server = listen('--exec', 'echo begun; trap "" TERM; sleep 1000; sleep 1000')
    const client = connect()
    await client.printed('begun')
    client.child.kill('SIGKILL')
    expect(await server.end).toMatchObject({ code: 0, stderr: 'listening for domain 5 as "talk"\n' })
    await nothingLeft(world.xen)
  })

  it('a command that talks to nobody any more is not held up, and ends by itself', async () => {
    const file = join(folder, 'end')
    const server = listen(
      '--exec',
      `trap "" TERM; echo begun; cat; head -c 1000000 /dev/zero; echo over > ${file}`,
    )
    const client = connect()
    await client.printed('begun')
    client.child.kill('SIGKILL')
    expect(await server.end).toMatchObject({ code: 0, stderr: 'listening for domain 5 as "talk"\n' })
    expect(readFileSync(file, 'utf8')).toBe('over\n')
  })

  it('when the listener is interrupted, the command ends with it', async () => {
    const server = listen('--exec', 'cat; echo over >&2')
    const client = connect()
    client.stdin.write('hello')
    await client.printed('hello')
    server.child.kill('SIGINT')
    expect(await server.end).toMatchObject({ code: 0, stderr: expect.stringContaining('over') })
    expect((await client.end).code).toBe(0)
  })
})

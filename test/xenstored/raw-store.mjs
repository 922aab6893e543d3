// xenstored without the client under test: one request on a connection of its own.
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeMessage, MessageReader, MessageType } from '../../dist/src/drivers/xenbus/wire.js'

/** @returns the payload of the answer, as text. @throws Error with the code xenstored answers */
export async function call(path, type, payload) {
  for (;;) {
    try {
      return await tryCall(path, type, payload)
    } catch (error) {
      // The backlog is one connection.
      if (error.code !== 'EAGAIN' || error.syscall !== 'connect') throw error
      await delay(2)
    }
  }
}

function tryCall(path, type, payload) {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const reader = new MessageReader(4096)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('xenstored closed the connection')))
    socket.on('data', (chunk) => {
      const [answer] = reader.push(chunk)
      if (!answer) return
      const text = answer.payload.toString('latin1')
      if (answer.type === MessageType.error) {
        const code = text.replace(/\0$/, '')
        reject(
          Object.assign(new Error(`xenstored answers ${code} to type ${type} ${JSON.stringify(payload)}`), {
            code,
          }),
        )
      } else resolve(text)
      socket.destroy()
    })
    socket.write(
      encodeMessage({ type, requestId: 1, transactionId: 0, payload: Buffer.from(payload, 'latin1') }),
    )
  })
}

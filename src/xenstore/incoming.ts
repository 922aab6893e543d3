import { MessageReader, type StoreMessage } from '../drivers/xenbus/wire.js'
import { protocolError, type XenStoreError } from './store-error.js'

/**
 * The bytes that come from xenstored, as messages.
 * @returns called with every chunk, or the beginning of a buffer that is used again; what is wrong with the stream, of which nothing can be read any more then
 */
export function readMessages(
  maxPayload: number,
  message: (message: StoreMessage) => void,
): { push(chunk: Uint8Array, length?: number): XenStoreError | undefined; readonly incomplete: number } {
  const reader = new MessageReader(maxPayload)
  return {
    get incomplete() {
      return reader.incomplete
    },
    push(chunk, length) {
      let messages: StoreMessage[]
      try {
        messages = reader.push(chunk, length)
      } catch (error) {
        return protocolError(`xenstored sends ${(error as Error).message}`, { operation: 'receive' })
      }
      for (const one of messages) message(one)
      return undefined
    },
  }
}

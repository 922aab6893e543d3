import type { MessagePort } from 'node:worker_threads'
import { unmapOrphan } from '../drivers/page-buffer.js'
import { toEnvelope } from './envelope.js'
import type { CleanerData, StartNotice } from './thread-messages.js'

/** Does its work, says how it went, and ends. One that fails does not keep the others mapped. */
export function runCleaner(control: MessagePort, { orphans }: CleanerData): void {
  let notice: StartNotice = { type: 'ready' }
  for (const buffer of orphans) {
    try {
      unmapOrphan(buffer)
    } catch (error) {
      notice = { type: 'failed', error: toEnvelope(error) }
    }
  }
  control.postMessage(notice)
}

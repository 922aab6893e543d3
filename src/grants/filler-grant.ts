import { MessageChannel, postMessageToThread } from 'node:worker_threads'
import { GrantError } from '../errors.js'
import type { FillerGrant } from '../fill/fill-messages.js'
import type { TaskGrant } from '../fill/grant-proxy.js'
import { notifyArguments } from '../unmap-notify.js'
import { Connection } from './device-connection.js'
import { type DirectConnect, Op } from './grant-messages.js'

/** This thread's line to the device worker, kept between tasks. */
let line: { deviceThread: number; connection: Promise<Connection> } | undefined

/** The {@link TaskGrant} of a filler thread. */
export function fillerGrant(grant: FillerGrant): TaskGrant {
  let lease: Promise<Connection> | undefined
  let ended = false
  // The run holds the owner's lease; acting on the grant from here takes one of this thread's own.
  const hold = async (): Promise<Connection> => {
    if (grant.deviceThread < 0) {
      throw new GrantError(
        'ERR_GRANTS_UNSUPPORTED',
        'these pages are mapped, not granted here: use the MappedGrant',
      )
    }
    if (ended) throw new GrantError('ERR_GRANTS_UNSHARED', 'the run this grant proxy belongs to has ended')
    lease ??= connectTo(grant.deviceThread).then(async (connection) => {
      await connection.request(Op.attach, grant.id)
      return connection
    })
    return lease
  }
  return {
    domid: grant.domid,
    pages: grant.pages,
    refs: grant.refs,
    async setUnmapNotify(options) {
      const { offset, action, port } = notifyArguments(options, grant.pages)
      const connection = await hold()
      await connection.request(Op.setUnmapNotify, grant.id, offset, action, port)
    },
    async release() {
      const connection = await hold()
      await connection.request(Op.requestUnshare, grant.id)
    },
    end() {
      ended = true
      // A lost line has taken the lease with it.
      lease?.then((connection) => connection.request(Op.detach, grant.id)).catch(() => {})
    },
  }
}

function connectTo(deviceThread: number): Promise<Connection> {
  if (line?.deviceThread === deviceThread) return line.connection
  const connection = open(deviceThread)
  line = { deviceThread, connection }
  return connection
}

async function open(deviceThread: number): Promise<Connection> {
  const { port1, port2 } = new MessageChannel()
  const message: DirectConnect = { xenGrantsConnect: port2 }
  await postMessageToThread(deviceThread, message, [port2])
  return new Connection(port1, {
    // A lease of this thread's lasts only as long as a task, and the task is stopped by its own control block.
    onEvent: (event) => {
      if (event.type === 'closing') forget()
    },
    onLost: forget,
  })
}

function forget(): void {
  const closing = line
  line = undefined
  closing?.connection.then((connection) => connection.close()).catch(() => {})
}

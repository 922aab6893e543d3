import { Buffer } from 'node:buffer'
import { checkOptions, checkSignal, invalidArgType, invalidArgValue } from '../arguments.js'
import { Header, MessageType } from '../drivers/xenbus/wire.js'
import { type Caller, expectOk, strings, stringsOf, withBytes } from './caller.js'
import { listChildren } from './directory.js'
import { parseInteger } from './numbers.js'
import { checkPath, checkWatchPath, childOf } from './paths.js'
import { UNREADABLE } from './pending-request.js'
import { decodePermission, encodePermissions, type StorePermission } from './permissions.js'
import { isPrivileged } from './privilege.js'
import { describe, protocolError, type Subject, XenStoreError } from './store-error.js'
import { whenUnreadable } from './unreadable.js'

/** How one request is made. */
export interface RequestOptions {
  /** Rejects with its reason. What xenstored has been asked by then, it may do all the same. */
  signal?: AbortSignal | undefined
}

/**
 * The value of a node that may well be absent, or not be for this domain to read: then undefined, without an error. For what is
 * above the store in this package: an error takes longer to make than the answer to read.
 */
export let readable: (view: StoreView, path: string, signal?: AbortSignal) => Promise<Buffer | undefined>

/**
 * The nodes of a xenstore, as they are now or as a transaction sees them.
 *
 * Paths are absolute, or relative to the directory of this domain (`/local/domain/N`): names of `A-Z a-z 0-9 - _ @` with
 * single slashes between them, at most 2048 bytes below a domain's directory. Everything throws TypeError or RangeError for
 * bad arguments before anything is sent, and XenStoreError with what xenstored answers: ENOENT for what does not exist,
 * EACCES for what this domain may not do. What other domains have written is data of theirs.
 */
export class StoreView {
  readonly #caller: Caller

  static {
    readable = async (view, path, signal) => {
      // One that stands in for another is asked as by any user.
      if (!(#caller in (view as object))) return view.read(path, signal && { signal }).catch(whenUnreadable)
      const subject = { operation: 'read', path }
      const call = { subject, type: MessageType.read, message: strings(path), signal, mayBeUnreadable: true }
      const value = await view.#caller.call(call)
      return value === UNREADABLE ? undefined : value
    }
  }

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller
  }

  /** @returns the value: any bytes, often none */
  read(path: string, options?: RequestOptions): Promise<Buffer> {
    return this.#ask('read', path, MessageType.read, options)
  }

  /** The value as UTF-8: what is not becomes U+FFFD. Most values are text without a final NUL or newline. */
  async readText(path: string, options?: RequestOptions): Promise<string> {
    return (await this.#ask('readText', path, MessageType.read, options)).toString('utf8')
  }

  /**
   * The value as a decimal integer: digits, perhaps with a minus, and nothing else.
   * @throws XenStoreError ERR_GRANTS_PROTOCOL when it is something else, or too large to be exact
   */
  async readInt(path: string, options?: RequestOptions): Promise<number> {
    const value = await this.#ask('readInt', path, MessageType.read, options)
    const number = parseInteger(value.toString('latin1'))
    if (number !== undefined) return number
    throw protocolError('the value is not a decimal integer', { operation: 'readInt', path })
  }

  /** @returns undefined when there is no such node. @throws XenStoreError EACCES: it may exist or not */
  async tryRead(path: string, options?: RequestOptions): Promise<Buffer | undefined> {
    return unlessAbsent(this.#ask('tryRead', path, MessageType.read, options))
  }

  /** @returns whether there is such a node. @throws XenStoreError EACCES: it may exist or not */
  async exists(path: string, options?: RequestOptions): Promise<boolean> {
    return (await unlessAbsent(this.#ask('exists', path, MessageType.getPerms, options))) !== undefined
  }

  /**
   * Sets the value, and makes the node and its missing parents. They get the permissions of the nearest parent there was; what
   * a guest makes belongs to the guest.
   * @throws RangeError when path and value do not fit into a message: 4096 bytes on xenstored's socket, 4080 on the device.
   *   XenStoreError ENOSPC: a guest's node is too large (2048 bytes), or it has too many (1000)
   */
  async write(path: string, value: string | Uint8Array, options?: RequestOptions): Promise<void> {
    checkPath(path)
    if (typeof value !== 'string' && !(value instanceof Uint8Array))
      throw invalidArgType('value', 'of type string or an instance of Buffer or Uint8Array', value)
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
    await this.#do({ operation: 'write', path }, MessageType.write, withBytes(path, bytes), options)
  }

  /** Makes the node, empty, and its missing parents. One that exists is left as it is. */
  async mkdir(path: string, options?: RequestOptions): Promise<void> {
    checkPath(path)
    await this.#do({ operation: 'mkdir', path }, MessageType.mkdir, strings(path), options)
  }

  /**
   * Removes the node and everything below it. One that is absent is no error as long as its parent exists.
   * @throws TypeError for '/', which oxenstored would obey
   */
  async remove(path: string, options?: RequestOptions): Promise<void> {
    checkPath(path)
    if (path === '/')
      throw invalidArgValue('path', 'must not be the root: that would remove every node', path)
    await this.#do({ operation: 'remove', path }, MessageType.rm, strings(path), options)
  }

  /** @returns the names of the children, in xenstored's order: that of their creation, or sorted */
  async list(path: string, options?: RequestOptions): Promise<string[]> {
    checkPath(path)
    return listChildren(this.#caller, path, signalOf(options))
  }

  /**
   * The node and all below it, each before its children. Not a snapshot: what is removed on the way is left out, unless in
   * a transaction.
   * @throws XenStoreError ENOENT when there is no such node; EACCES when it or one below may not be listed
   */
  walk(path: string, options?: RequestOptions): AsyncGenerator<string, void, undefined> {
    checkPath(path)
    return walk(this.#caller, path, signalOf(options))
  }

  /** The owner first. Those of '@introduceDomain' and '@releaseDomain' can be set, but C's xenstored does not tell them: EINVAL. */
  async permissions(path: string, options?: RequestOptions): Promise<StorePermission[]> {
    const answer = await this.#ask('permissions', path, MessageType.getPerms, options, checkWatchPath)
    const subject = { operation: 'permissions', path }
    return stringsOf(answer, subject).map((text) => {
      const permission = decodePermission(text)
      if (!permission) throw protocolError('xenstored answers with what are no permissions', subject)
      return permission
    })
  }

  /**
   * @param path a node, or '@introduceDomain' or '@releaseDomain', which domain 0 may let guests watch so
   * @param permissions the owner first, whose access is that of all domains not named
   * @throws XenStoreError EPERM: a guest gives its node to another. ENOSPC: a guest sets more than 5. ENOENT: no such node,
   *   or the new owner does not exist
   */
  async setPermissions(
    path: string,
    permissions: readonly StorePermission[],
    options?: RequestOptions,
  ): Promise<void> {
    checkWatchPath(path)
    const message = strings(path, ...encodePermissions(permissions))
    const subject = { operation: 'setPermissions', path }
    const signal = signalOf(options)
    if (path.startsWith('@') && !(await isPrivileged(this.#caller, subject, signal))) {
      const text = `${describe(subject)}: only domain 0 may, and this request of a guest's ends xenstored 4.17 (EACCES)`
      throw new XenStoreError('EACCES', text, subject)
    }
    await this.#do(subject, MessageType.setPerms, message, signal && { signal })
  }

  /** What is hot: no promise more than there has to be. */
  #ask(
    operation: string,
    path: string,
    type: number,
    options: RequestOptions | undefined,
    check: (path: unknown) => void = checkPath,
  ): Promise<Buffer> {
    try {
      check(path)
      const subject = { operation, path }
      return this.#caller.call({ subject, type, message: strings(path), signal: signalOf(options) })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #do(
    subject: Subject,
    type: number,
    message: Buffer,
    options: RequestOptions | undefined,
  ): Promise<void> {
    const signal = signalOf(options)
    const { maxPayload } = this.#caller
    const length = message.length - Header.size
    if (length > maxPayload) {
      const text = `${describe(subject)}: takes ${length} bytes with its path, and a message to this xenstored has at most ${maxPayload}. Split it over several nodes`
      throw Object.assign(new RangeError(text), { code: 'ERR_OUT_OF_RANGE' })
    }
    expectOk(await this.#caller.call({ subject, type, message, signal }), subject)
  }
}

async function* walk(
  caller: Caller,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const names = await listChildren(caller, path, signal)
  yield path
  // A stack of what is still to be looked at: the next one last.
  const left = names.reverse().map((name) => childOf(path, name))
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const at = next
    const below = await unlessAbsent(listChildren(caller, at, signal))
    if (!below) continue
    yield at
    left.push(...below.reverse().map((name) => childOf(at, name)))
  }
}

async function unlessAbsent<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (error instanceof XenStoreError && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** @throws TypeError; the signal's reason */
export function signalOf(options: RequestOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  const { signal } = checkOptions<RequestOptions>('options', options, ['signal'])
  checkSignal('options.signal', signal)
  return signal
}

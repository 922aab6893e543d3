import process from 'node:process'
import { SingleBar } from 'cli-progress'

/** How far a transfer is, on a terminal. Elsewhere nothing is shown. */
export class TransferProgress implements Disposable {
  readonly #bar: SingleBar | undefined

  /** @param size in bytes, undefined when it is not known */
  constructor(what: string, size: number | undefined) {
    if (!process.stderr.isTTY) return
    const done = size === undefined ? '' : '{bar} {percentage}% | '
    const of = size === undefined ? '' : `/${mib(size)}`
    this.#bar = new SingleBar({ format: `${what} ${done}{mib}${of} MiB`, hideCursor: true })
    this.#bar.start(size ?? 0, 0, { mib: '0.0' })
  }

  readonly update = (bytes: number): void => {
    this.#bar?.update(bytes, { mib: mib(bytes) })
  };

  [Symbol.dispose](): void {
    this.#bar?.stop()
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** Debian's. */
export const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path))

interface Answer {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { message: string }
}

/** A headless Chromium, spoken to in its DevTools protocol over two pipes: messages of JSON, each ended by a zero byte. */
export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #profile = mkdtempSync(join(tmpdir(), 'xen-grants-chromium-'))
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  readonly #ended: Promise<void>
  /** What has been told without having been asked for. */
  readonly events: Answer[] = []
  #session: string | undefined
  #last = 0
  #text = ''

  constructor(path: string) {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage']
    this.#child = spawn(path, [...flags, `--user-data-dir=${this.#profile}`, '--remote-debugging-pipe'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()))
    ;(this.#child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => this.#read(text))
  }

  #read(text: string): void {
    this.#text += text
    const messages = this.#text.split('\0')
    this.#text = messages.pop()!
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer
      if (answer.id === undefined) this.events.push(answer)
      else this.#waiting.get(answer.id)?.(answer)
    }
  }

  async call(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve))
    const session = this.#session && { sessionId: this.#session }
    ;(this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    const answer = await Promise.race([
      answered,
      this.#ended.then((): Answer => ({ error: { message: 'the browser has ended' } })),
    ])
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`)
    return answer.result!
  }

  /** A page of so many pixels, loaded. */
  async open(url: string, width: number, height: number): Promise<void> {
    this.#session = undefined
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true })
    this.#session = sessionId as string
    this.events.length = 0
    for (const domain of ['Page', 'Log', 'Runtime', 'Network']) await this.call(`${domain}.enable`)
    await this.call('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    })
    await this.call('Page.navigate', { url })
    const loaded = `document.readyState === 'complete' && location.href === ${JSON.stringify(url)}`
    while (!(await this.evaluate(loaded)));
  }

  /** What the page answers to an expression: plain data. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', {
      expression,
      returnByValue: true,
    })
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { value: T }).value
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill()
    await this.#ended
    rmSync(this.#profile, { recursive: true, force: true })
  }
}

import process from 'node:process'

// Control sequences of xterm, which every terminal emulator has: the other screen, the cursor, clearing.
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

const CTRL_C = '\x03'

/**
 * The whole terminal, until it is disposed of, or the process exits: then it is as it was. Lines are cut to what it has room
 * for, and drawn again when its size changes.
 */
export class Screen implements Disposable {
  #lines: readonly string[] = []
  readonly #quit: () => void

  /** @param quit is called when `q` or ^C is pressed: while the keyboard is ours, ^C is a key and no signal */
  constructor(quit: () => void) {
    this.#quit = quit
    process.stdout.write(ENTER)
    process.stdout.on('resize', this.#draw)
    process.once('exit', this.#restore)
    if (!process.stdin.isTTY) return
    process.stdin.setRawMode(true)
    process.stdin.setEncoding('utf8').on('data', this.#key)
  }

  show(lines: readonly string[]): void {
    this.#lines = lines
    this.#draw()
  }

  readonly #draw = (): void => {
    const { columns, rows } = process.stdout
    const fitting = this.#lines.slice(0, rows).map((line) => CLEAR_LINE + line.slice(0, columns))
    process.stdout.write(HOME + fitting.join('\r\n') + CLEAR_BELOW)
  }

  readonly #key = (typed: string): void => {
    if (typed.includes('q') || typed.includes(CTRL_C)) this.#quit()
  }

  readonly #restore = (): void => {
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdout.write(LEAVE)
  };

  [Symbol.dispose](): void {
    process.off('exit', this.#restore)
    process.stdout.off('resize', this.#draw)
    process.stdin.off('data', this.#key).pause()
    this.#restore()
  }
}

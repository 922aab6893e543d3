import process from 'node:process'

let end = (): void => process.exit(0)

/** Whoever reads standard output has read enough, as in `… | head`: that is no error, and the program ends. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    end()
  })
}

/** Ends it in this way instead: the command has something to give back. */
export function onReaderGone(run: () => void): void {
  end = run
}

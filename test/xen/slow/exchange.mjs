import { exchange } from '../guest/exchange.mjs'

const TEN_MINUTES = 600_000

export default {
  name: 'exchange',
  tests: [
    {
      name: 'two processes exchange 1 GiB through 1024 pages each, SHA-256 equal at both ends',
      timeoutMs: TEN_MINUTES,
      run(t) {
        const printed = exchange(t, 512, TEN_MINUTES - 10_000)
        for (const line of printed.split('\n').slice(0, 2)) t.note(line)
      },
    },
  ],
}

// Files and pipes between domains.
const parser = ['test/net/transfer/file-parser.test.ts']
const transfer = ['test/net/transfer/transfer.test.ts']
const send = ['test/cli/send.test.ts']
const netcat = ['test/cli/netcat.test.ts']

export default [
  {
    file: 'src/net/transfer/file-parser.ts',
    find: 'if (length > MAX_BLOCK)',
    replace: 'if (length > 2 ** 32)',
    tests: parser,
    breaks: 'a block may have 4 GiB',
  },
  {
    file: 'src/net/transfer/file-parser.ts',
    find: 'this.#bytes + length > size',
    replace: 'this.#bytes > size',
    tests: parser,
    breaks: 'a file has more than its size',
  },
  {
    file: 'src/net/transfer/file-parser.ts',
    find: 'this.#bytes < size)',
    replace: 'this.#bytes > size)',
    tests: parser,
    breaks: 'a file has less than its size',
  },
  {
    file: 'src/net/transfer/file-parser.ts',
    find: 'this.#part.length + count >= MAX_LINE',
    replace: 'count >= MAX_LINE',
    tests: parser,
    breaks: 'a line that comes in pieces fills the memory',
  },
  {
    file: 'src/net/transfer/receive-file.ts',
    find: 'if (sha256 !== theirs)',
    replace: "if (sha256 === '')",
    tests: transfer,
    breaks: 'a file with another SHA-256 is kept',
  },
  {
    file: 'src/net/transfer/receive-file.ts',
    find: 'if (parser.bytes > maxBytes)',
    replace: 'if (parser.bytes < 0)',
    tests: transfer,
    breaks: 'a file without a size may be larger than wanted',
  },
  {
    file: 'src/net/transfer/receive-file.ts',
    find: "code === 'ERR_GRANTS_PROTOCOL' ? message",
    replace: "code !== 'ENOENT' ? message",
    tests: transfer,
    breaks: 'the sender learns the paths of the receiver',
  },
  {
    file: 'src/net/transfer/send-file.ts',
    find: 'if (said.sha256 !== sent.sha256)',
    replace: "if (said.sha256 === '')",
    tests: transfer,
    breaks: 'a receiver with another SHA-256 is believed',
  },
  {
    file: 'src/net/transfer/send-file.ts',
    find: 'if (said.bytes !== sent.bytes)',
    replace: 'if (said.bytes < 0)',
    tests: transfer,
    breaks: 'a receiver that has less is believed',
  },
  {
    file: 'src/cli/part-file.ts',
    find: 'await link(this.#part, this.#path)',
    replace: 'await rename(this.#part, this.#path)',
    tests: send,
    breaks: 'a file that has come to exist meanwhile is lost',
  },
  {
    file: 'src/cli/part-file.ts',
    find: 'await rm(this.#part, { force: true })',
    replace: '',
    tests: send,
    breaks: 'half files stay',
  },
  {
    file: 'src/cli/receive.ts',
    find: 'escaped(Buffer.from(theirs))',
    replace: 'Buffer.from(theirs)',
    tests: send,
    breaks: 'a name steers the terminal',
  },
  {
    file: 'src/cli/exec-talk.ts',
    find: "end(child, 'SIGKILL')",
    replace: '{}',
    tests: netcat,
    breaks: 'a command that ignores SIGTERM outlives its connection',
  },
  {
    file: 'src/cli/stdio-talk.ts',
    find: "input.on('data', give).resume()",
    replace: "input.on('data', give)",
    tests: netcat,
    breaks: 'a second connection gets nothing of the input',
  },
  {
    file: 'src/cli/stdio-talk.ts',
    find: 'quitAfter !== undefined && input.ended',
    replace: 'quitAfter !== undefined',
    tests: netcat,
    breaks: '--quit-after does not wait for the end of the input',
  },
]

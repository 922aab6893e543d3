// The command line and what it is told of the system.
const commands = ['test/cli/commands.test.ts']
const cli = ['test/cli/cli.test.ts']
const capacity = ['test/diagnosis/capacity.test.ts']
const system = ['test/diagnosis/system.test.ts']
const diagnose = ['test/diagnosis/diagnose.test.ts']

const top = ['test/cli/top.test.ts']
const monitor = ['test/monitor/monitor.test.ts']

export default [
  {
    file: 'src/monitor/monitor.ts',
    find: 'chmodSync(bound, 0o600)',
    replace: '',
    tests: monitor,
    breaks: 'other users may connect to the socket',
  },
  {
    file: 'src/monitor/answering.ts',
    find: 'asked > MAX_UNANSWERED || ',
    replace: '',
    tests: monitor,
    breaks: 'questions without end are remembered',
  },
  {
    file: 'src/cli/top/received.ts',
    find: 'return escaped(Buffer.from(String(value).slice(0, MAX.text)))',
    replace: 'return String(value).slice(0, MAX.text)',
    tests: top,
    breaks: 'another process steers the terminal',
  },
  {
    file: 'src/cli/top/screen.ts',
    find: "process.stdout.on('resize', this.#draw)",
    replace: '',
    tests: top,
    breaks: 'a terminal that has become smaller shows broken lines',
  },
  {
    file: 'src/cli/map.ts',
    find: 'const end = length ?? granted.bytes',
    replace: 'const end = granted.bytes',
    tests: commands,
    breaks: '--length is ignored',
  },
  {
    file: 'src/cli/map.ts',
    find: '{ end: out !== undefined }',
    replace: '{ end: false }',
    tests: commands,
    breaks: 'the file that is written is not closed',
  },
  {
    file: 'src/cli/main.ts',
    find: "text.trim() === '' || !Number.isInteger(value)",
    replace: '!Number.isInteger(value)',
    tests: cli,
    breaks: 'an empty argument is taken for 0: for the control domain',
  },
  {
    file: 'src/cli/main.ts',
    find: '!Number.isInteger(value)',
    replace: 'Number.isNaN(value)',
    tests: cli,
    breaks: 'half a page is taken for a number',
  },
  {
    file: 'src/cli/notify.ts',
    find: 'seen < count',
    replace: 'seen <= count',
    tests: commands,
    breaks: 'one event more than --count is waited for',
  },
  {
    file: 'src/cli/share.ts',
    find: 'Math.ceil(size / PAGE_SIZE)',
    replace: 'Math.floor(size / PAGE_SIZE)',
    tests: cli,
    breaks: 'the last page of a file has no room',
  },
  {
    file: 'src/cli/share.ts',
    find: 'clearInterval(awake)',
    replace: '',
    tests: cli,
    breaks: 'a signal does not end it',
  },
  {
    file: 'src/diagnosis/capacity.ts',
    find: "if (caught.reason !== 'limit') break",
    replace: "if (caught.reason === 'limit') break",
    tests: capacity,
    breaks: 'a full grant table is probed until the driver is wedged, and the limit is not counted',
  },
  {
    file: 'src/diagnosis/capacity.ts',
    find: 'return free < 256',
    replace: 'return free > 256',
    tests: capacity,
    breaks: 'much room is a reason for concern, and little is none',
  },
  {
    file: 'src/diagnosis/capacity.ts',
    find: 'Math.min(PROBE_PAGES, free + reserve)',
    replace: 'free',
    tests: capacity,
    breaks: 'what the probe itself keeps is missing from what is free',
  },
  {
    file: 'src/diagnosis/capacity.ts',
    find: 'await server.close({ force: true })',
    replace: '',
    tests: capacity,
    breaks: 'the probe keeps its device open',
  },
  {
    file: 'src/diagnosis/capacity.ts',
    find: 'await grant.unshare()\n',
    replace: '\n',
    tests: capacity,
    breaks: 'the probe counts its own pages as used',
  },
  {
    file: 'src/diagnosis/system.ts',
    find: "exists: codeOf(error) !== 'ENOENT'",
    replace: 'exists: false',
    tests: system,
    breaks: 'a device that this user may not see is said to be missing',
  },
  {
    file: 'src/diagnosis/system.ts',
    find: 'constants.R_OK | constants.W_OK',
    replace: 'constants.F_OK',
    tests: system,
    breaks: 'a device that this user may not open is said to be fine',
  },
  {
    file: 'src/diagnosis/checks.ts',
    find: 'perSecond >= 100',
    replace: 'perSecond > 100',
    tests: diagnose,
    breaks: 'a rate that is just high enough is a reason for concern',
  },
  {
    file: 'src/diagnosis/checks.ts',
    find: 'minor >= 19',
    replace: 'minor > 19',
    tests: diagnose,
    breaks: 'the oldest supported Node is too old',
  },
  {
    file: 'src/diagnosis/diagnose.ts',
    find: "return finding.status === 'missing'",
    replace: "return finding.status !== 'ok'",
    tests: ['test/diagnosis/ready.test.ts'],
    breaks: 'what is only to be noted keeps a machine from being ready',
  },
]

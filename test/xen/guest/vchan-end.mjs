// One end of a vchan in a process of its own: the command line and the output of peers/vchan.c, on `Vchan`. A server prints
// no "serving", since it has no moment of its own for it.
//
//   vchan-end.mjs server|client <domid> <path> [option...]
//
// Of the options of vchan.c it knows neither start, persist nor blocking; a client always waits for its server, for a
// minute. What it cannot do it prints as "Error ...".
import { Xen } from 'xen-grants'
import { openEnd } from './vchan-open.mjs'
import { optionsOf } from './vchan-options.mjs'
import { traffic } from './vchan-traffic.mjs'

const [role, domid, path, ...words] = process.argv.slice(2)
const options = optionsOf(words)
const xen = await Xen.open()

async function connection() {
  const end = await openEnd(xen, role, Number(domid), path, options)
  const closed = new Promise((resolve) => end.once('close', resolve))
  console.log('connected {}')
  const counts = await traffic(end, options)
  // What is not read would keep it from closing.
  end.resume().end()
  await closed
  return counts
}

try {
  const { times = 1 } = options
  for (let connections = 0; connections < times; ) {
    const counts = await connection()
    if (times > 1 && counts.sent + counts.received === 0) continue
    connections++
    console.log(`done ${JSON.stringify(counts)}`)
  }
  await xen.close()
} catch (error) {
  console.log(`Error ${error.code} ${error.message}`)
  process.exit(1)
}

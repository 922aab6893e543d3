import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A Node program of test/xen/guest that runs inside a guest domain and talks in lines, through files there. */
export function startInGuest(guest, script, ...args) {
  return start(guest, script, `node /package/test/xen/guest/${script} ${args.join(' ')}`)
}

/** Likewise a C peer of test/xen/peers. */
export function startPeerInGuest(guest, name, ...args) {
  return start(guest, name, `/peers/${name} ${args.join(' ')}`)
}

async function start(guest, script, command) {
  const id = `/tmp/${basename(script)}-${Math.random().toString(36).slice(2)}`
  await guest.run(`touch ${id}.in; (tail -f ${id}.in | ${command} >${id}.out 2>${id}.err) >/dev/null 2>&1 &`)
  let read = 0

  /** The next line of it that begins with this word, without the word, as JSON. */
  async function line(word) {
    // Bounded by tries: each takes a round trip through both domains.
    for (let tries = 0; tries < 60; tries++) {
      // Only what is new: an answer of the agent has room for 3000 bytes.
      const { output } = await guest.run(`tail -n +${read + 1} ${id}.out; cat ${id}.err`)
      if (/Error/.test(output)) throw new Error(`${script} in ${guest.name}: ${output}`)
      const lines = output.split('\n')
      const found = lines.findIndex((text) => text.startsWith(`${word} `))
      if (found >= 0) {
        read += found + 1
        return JSON.parse(lines[found].slice(word.length + 1))
      }
      await sleep(200)
    }
    throw new Error(`${script} in ${guest.name} never printed "${word}"`)
  }

  return {
    line,
    async ask(text) {
      await guest.run(`echo '${text}' >>${id}.in`)
      return line(text.split(' ')[0])
    },
  }
}

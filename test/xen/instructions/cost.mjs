import assert from 'node:assert/strict'
import { GrantServer } from '../../../dist/src/index.js'

const TOGETHER = 64
const ROUNDS = 40
/** Until V8 has compiled what counts. */
const WARM_UP = 200
/** What a page may cost in all, in thousands of instructions. libxengnttab takes 31. */
const MOST = 115

/** Instructions since `began`, in thousands for each of them: the guest's clock counts one nanosecond for each. */
function kiloInstructions(began) {
  return ((performance.now() - began) * 1e3) / TOGETHER
}

async function round(server) {
  let began = performance.now()
  const sharing = Array.from({ length: TOGETHER }, () => server.share({ domid: 0, pages: 1, writable: true }))
  const grants = await Promise.all(sharing)
  const share = kiloInstructions(began)
  began = performance.now()
  for (const { bytes } of grants) bytes[0] = 1
  const touch = kiloInstructions(began)
  began = performance.now()
  await Promise.all(grants.map((grant) => grant.unshare()))
  return { share, touch, unshare: kiloInstructions(began) }
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

export default {
  name: 'cost in instructions',
  tests: [
    {
      name: `${TOGETHER} single pages at once: share, touch and unshare`,
      timeoutMs: 300_000,
      async run(t) {
        const server = await GrantServer.open({ headroom: 0 })
        for (let i = 0; i < WARM_UP; i++) await round(server)
        const rounds = []
        for (let i = 0; i < ROUNDS; i++) rounds.push(await round(server))
        await server.close()
        const [share, touch, unshare] = ['share', 'touch', 'unshare'].map((part) =>
          median(rounds.map((one) => one[part])),
        )
        const cost = { share, touch, unshare, all: share + touch + unshare }
        const told = Object.entries(cost).map(([part, kilo]) => `${part} ${kilo.toFixed(1)}`)
        t.note(`thousands of instructions for each: ${told.join(', ')}`)
        assert.ok(cost.all <= MOST, `more than ${MOST} thousand instructions: ${told.join(', ')}`)
      },
    },
  ],
}

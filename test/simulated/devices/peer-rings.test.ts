import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeerRings } from '../../../src/simulated/devices/peer-rings.js'

const RINGS = 70
const { O_RDONLY, O_NONBLOCK } = constants

let path: string
let rings: PeerRings
/** By the number of the ring, which is at least 1. */
let readers: number[]

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'rings-'))
  const names = Array.from({ length: RINGS }, (_, i) => join(path, `ring-${i + 1}`))
  execFileSync('mkfifo', names)
  readers = [-1, ...names.map((name) => openSync(name, O_RDONLY | O_NONBLOCK))]
  rings = new PeerRings(path)
})
afterEach(() => {
  rings.close()
  expect(held()).toEqual([])
  for (const reader of readers.slice(1)) if (reader >= 0) closeSync(reader)
  rmSync(path, { recursive: true })
})

/** The rings that this process has open, apart from those that read. */
function held(): string[] {
  const open = readdirSync('/proc/self/fd').filter((fd) => !readers.includes(Number(fd)))
  return open.map(target).filter((file) => file.startsWith(path))
}

function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // That of the directory itself.
    return ''
  }
}

function read(ring: number): number[] {
  const ports = new Uint32Array(16)
  const length = readSync(readers[ring]!, ports)
  return [...ports.subarray(0, length / 4)]
}

describe('the rings of peers', () => {
  it('get what is put into them, in order', () => {
    for (const port of [7, 1023, 7]) rings.push(3, port)
    rings.push(4, 1)
    expect([read(3), read(4)]).toEqual([[7, 1023, 7], [1]])
    expect(held()).toHaveLength(2)
  })

  it('stay open, but not all that have ever been used', () => {
    for (let round = 1; round <= 2; round++)
      for (let ring = 1; ring <= RINGS; ring++) {
        rings.push(ring, round)
        expect(read(ring)).toEqual([round])
      }
    expect(held()).toHaveLength(64)
  })

  it('take nothing, and are no error, once their program has ended', () => {
    rings.push(1, 5)
    for (const ring of [1, 2]) {
      closeSync(readers[ring]!)
      readers[ring] = -1
      rings.push(ring, 6)
    }
    rmSync(join(path, 'ring-3'))
    rings.push(3, 6)
    expect(held()).toEqual([])
  })

  it('that are full are no error: their programs look at all ports', () => {
    for (let port = 0; port < 20_000; port++) rings.push(1, port)
    expect(read(1)).toHaveLength(16)
  })
})

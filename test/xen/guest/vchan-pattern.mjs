import { crc32 } from 'node:zlib'

/** What peers/vchan_traffic.h sends too: byte i is a function of the seed and of i alone. */
export function pattern(seed, offset, length) {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) {
    const x = (Math.imul(offset + i, 0x9e3779b1) + seed) | 0
    bytes[i] = (x ^ (x >>> 15)) >>> 8
  }
  return bytes
}

/** CRC-32 of the first so many bytes. */
export function patternCrc(seed, length) {
  let crc = 0
  for (let offset = 0; offset < length; offset += 65536)
    crc = crc32(pattern(seed, offset, Math.min(65536, length - offset)), crc)
  return crc
}

/** FNV-1a with 64 bits of one page, worded as peers/map_check.c prints it. */
export function checksum(page) {
  let hash = 0xcbf29ce484222325n
  for (const byte of page) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return `page ${hash}`
}

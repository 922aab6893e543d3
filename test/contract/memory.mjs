import koffi from 'koffi'

// Bytes at an address, copied: a view would outlive its mapping, and touching it then ends the process.
const memcpy = koffi.load(null).func('void *memcpy(void *to, void *from, size_t length)')

export function peek(address, length = 1) {
  const bytes = Buffer.alloc(length)
  if (length > 0) memcpy(bytes, address, length)
  return bytes
}

export function poke(address, bytes) {
  memcpy(address, Buffer.from(bytes), bytes.length)
}

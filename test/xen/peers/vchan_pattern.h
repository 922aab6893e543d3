/*
 * What vchan.c sends: byte i is a function of the seed and of i alone. test/xen/guest/vchan-pattern.mjs has the same one, so
 * that both ends know what has to arrive.
 */
#include <stddef.h>
#include <stdint.h>

static void fill(uint8_t *bytes, size_t length, uint32_t seed, uint64_t offset)
{
    for (size_t i = 0; i < length; i++) {
        uint32_t x = (uint32_t)(offset + i) * 0x9e3779b1u + seed;
        bytes[i] = (x ^ (x >> 15)) >> 8;
    }
}

/* CRC-32 as zlib and Node compute it. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *bytes, size_t length)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? 0xedb88320u ^ (value >> 1) : value >> 1;
            table[i] = value;
        }
    crc = ~crc;
    for (size_t i = 0; i < length; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

/** One mapping in the ledger: Float64 address and length. */
export const SLOT_BYTES = 16
export const GROWTH_SLOTS = 1024
/** More mappings than Linux lets a process have unless vm.max_map_count is raised sixteenfold. */
const MAX_SLOTS = 2 ** 20

/** Grows on demand: the maximum costs address space, not memory. See MappingLedger. */
export function createLedgerBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(GROWTH_SLOTS * SLOT_BYTES, { maxByteLength: MAX_SLOTS * SLOT_BYTES })
}

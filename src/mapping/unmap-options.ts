/** How pages are unmapped. */
export interface UnmapOptions {
  /** Do not wait: abort what runs, put zero pages in the place of the memory at once. Default false. */
  force?: boolean | undefined
}

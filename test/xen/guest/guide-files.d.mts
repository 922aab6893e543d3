import type { Group } from '../../guides/documents.mjs'

export const root: string
export function groupOf(document: string, name: string): Group

import type { Group, Program } from './documents.mjs'

export interface Place {
  folder: string
  takes(program: Program): boolean
  nodeOptions(program: Program): string[]
  environment(program: Program): Record<string, string | undefined>
}

export function writeFiles(group: Group, folder: string): void
export function walk(group: Group, place: Place): Promise<string[]>

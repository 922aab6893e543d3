import type { Program } from './documents.mjs'
import type { Running } from './walk.mjs'

export interface Surroundings {
  folder: string
  environment: Record<string, string | undefined>
  nodeOptions?: string[]
  patience?: number
}

export const LocalProgram: new (program: Program, surroundings: Surroundings) => Running

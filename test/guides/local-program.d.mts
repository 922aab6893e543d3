import type { Program } from './documents.mjs'
import type { Outcome, Running } from './walk.mjs'

export interface Surroundings {
  folder: string
  environment: Record<string, string | undefined>
  nodeOptions?: string[]
  patience?: number
}

export class LocalProgram implements Running {
  constructor(program: Program, surroundings: Surroundings)
  readonly program: Program
  readonly ended: Promise<void>
  readonly firstLine: Promise<void>
  readonly outcome: Outcome | undefined
  interrupt(): Promise<void>
  kill(): Promise<void>
}

import type { Program } from '../../guides/documents.mjs'
import type { Outcome, Running } from '../../guides/walk.mjs'

export const PATIENCE: number

export class Terminal {
  constructor(guest: { run(text: string): Promise<{ output: string; code: number }> })
  run(text: string): Promise<string>
}

export class GuestProgram implements Running {
  constructor(program: Program, where: { terminal: Terminal; folder: string })
  readonly program: Program
  readonly ended: Promise<void>
  readonly firstLine: Promise<void>
  readonly outcome: Outcome | undefined
  interrupt(): Promise<void>
  kill(): Promise<void>
}

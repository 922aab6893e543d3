import type { Program } from '../../guides/documents.mjs'
import type { Running } from '../../guides/walk.mjs'

export const PATIENCE: number

export class Terminal {
  constructor(guest: { run(text: string): Promise<{ output: string; code: number }> })
  run(text: string): Promise<string>
}

export const GuestProgram: new (program: Program, where: { terminal: Terminal; folder: string }) => Running

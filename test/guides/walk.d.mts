import type { Group, Program } from './documents.mjs'

export interface Outcome {
  /** Code or signal. */
  end: number | string
  stdout: string
  stderr: string
  interrupted: boolean
}

export interface Running {
  readonly program: Program
  readonly ended: Promise<void>
  readonly firstLine: Promise<void>
  /** Once it has ended. */
  readonly outcome: Outcome | undefined
  interrupt(): Promise<void>
  kill(): Promise<void>
}

export interface Place {
  takes(program: Program): boolean
  start(program: Program): Running
}

export function writeFiles(group: Group, folder: string): void
export function walk(group: Group, place: Place): Promise<string[]>

export interface MeasuredTest {
  suite: string
  measured?: { rows: { what: string; ways: Record<string, { low: number }> }[] }
}

export class Guard {
  constructor(file: string)
  complaints(tests: readonly MeasuredTest[]): string[]
  update(tests: readonly MeasuredTest[]): void
}

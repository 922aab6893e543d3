export function emulatedChart(result: { suite: string; tests: object[] }): string | undefined

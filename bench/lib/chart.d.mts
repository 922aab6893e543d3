export function barChart(result: object): string

export const PAGE: string
export function findings(exported: { specifier: string; names: string[] }[], page: string): string[]

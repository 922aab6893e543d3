export function entryPoints(root: string): { specifier: string; source: string }[]
export function exportedNames(text: string): string[]
export function allExports(root: string): { specifier: string; names: string[] }[]

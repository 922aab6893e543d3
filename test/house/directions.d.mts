export function findings(files: ReadonlyMap<string, readonly string[]>): string[]
export function readImports(root: string): Map<string, string[]>

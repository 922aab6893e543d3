export function anchorOf(heading: string): string
export function findings(documents: Map<string, string>, exists: (path: string) => boolean): string[]
export function readDocuments(root: string): Map<string, string>

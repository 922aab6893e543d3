export function page(results: Record<string, object>): string

export function fencesOf(
  markdown: string,
): { line: number; language: string; text: string; order: Record<string, unknown> | undefined }[]

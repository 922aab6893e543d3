export function objections(tag: string, version: string, changelog: string): string[]
export function changelogFaults(changelog: string): string[]
export function distTag(version: string): 'latest' | 'next'

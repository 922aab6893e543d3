export interface Program {
  name: string
  language: 'js' | 'sh'
  text: string
  prints?: string[]
  in?: string
  given?: string
  beside?: true
  serves?: true
  ready?: true
  on?: string
}

export interface Group {
  name: string
  programs: Program[]
  files: Map<string, string>
}

export interface Document {
  path: string
  groups: Group[]
  problems: string[]
}

export function isGuide(path: string): boolean
export function documentsOf(root: string): string[]
export function readDocument(root: string, path: string): Document
export function documentFrom(path: string, markdown: string): Document

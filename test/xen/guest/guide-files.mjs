// Writes the files of a group of a document into a folder of this domain: guide-files.mjs <document> <group> <folder>
import { fileURLToPath } from 'node:url'
import { readDocument } from '../../guides/documents.mjs'
import { writeFiles } from '../../guides/walk.mjs'

/** Programs there import the package by its name, as long as the folder is within it. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

export function groupOf(document, name) {
  const group = readDocument(root, document).groups.find((one) => one.name === name)
  if (!group) throw new Error(`${document} has no programs ${name}`)
  return group
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , document, name, folder] = process.argv
  writeFiles(groupOf(document, name), folder)
}

// Part of `npm run lint`: every link between the documents leads to a file that there is, and to a heading in it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a forge makes of a heading in the address of a page. */
export function anchorOf(heading) {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
}

const withoutFences = (text) => text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '')

/**
 * @param {Map<string, string>} documents path → Markdown
 * @param {(path: string) => boolean} exists whether there is any other file or folder
 */
export function findings(documents, exists) {
  const anchors = new Map(
    [...documents].map(([path, text]) => [
      path,
      new Set([...withoutFences(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading))),
    ]),
  )
  const found = []
  for (const [path, text] of documents) {
    for (const [, target] of withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file, anchor] = target.split('#')
      const to = file === '' ? path : normalize(join(dirname(path), file))
      if (!documents.has(to) && !exists(to)) found.push(`${path} links to ${target}: there is no ${to}`)
      else if (anchor !== undefined && !anchors.get(to)?.has(anchor))
        found.push(`${path} links to ${target}: there is no such heading`)
    }
  }
  return found
}

export function readDocuments(root) {
  const names = ['.', 'docs', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder === 'docs' }).map((name) =>
      normalize(join(folder, name)),
    ),
  )
  const read = names.filter((name) => name.endsWith('.md') && !name.startsWith('docs/api/'))
  return new Map(read.map((name) => [name, readFileSync(join(root, name), 'utf8')]))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const found = findings(readDocuments(root), (path) => existsSync(join(root, path)))
  for (const line of found) console.error(line)
  if (found.length > 0) process.exit(1)
}

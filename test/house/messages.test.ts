import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** What stands for anything: in a message of the source, and in the page. */
const GAP = '…'

/** Everything that the source says, each string in one piece. */
function textOfSource(): string {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  return files
    .map((name) => readFileSync(`src/${name}`, 'utf8'))
    .join('\n')
    .replaceAll(/['`] \+\s*['`]/g, '')
    .replaceAll(/\$\{[^}]*\}/g, GAP)
}

/** The first column of each table that has messages there, in the parts that are the same in every message. */
function messagesOf(page: string): string[] {
  const tables = page.split(/\n\n+/).filter((block) => /^\| message /.test(block))
  return tables
    .flatMap((table) => table.split('\n').slice(2))
    .flatMap((row) => row.split('|')[1]!.split(/[…;]/))
    .map((part) => part.replace(/^[\s,.]+|[\s,.:]+$/g, ''))
    .filter((part) => part.length > 3)
}

it('the messages that docs/guides/troubleshooting.md explains are those of the source', () => {
  const source = textOfSource()
  const messages = messagesOf(readFileSync('docs/guides/troubleshooting.md', 'utf8'))
  expect(messages.length).toBeGreaterThan(40)
  expect(messages.filter((message) => !source.includes(message))).toEqual([])
})

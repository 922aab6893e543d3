import { describe, expect, it } from 'vitest'
import { documentFrom } from './documents.mjs'

const fence = (comment: string, language: string, text: string) =>
  `${comment}\n\`\`\`${language}\n${text}\n\`\`\`\n`
const problemsOf = (markdown: string) => documentFrom('d.md', markdown).problems

describe('what is read from a document', () => {
  it('names every snippet that nothing runs, by its line', () => {
    const markdown = `# Title\n\n${fence('', 'js', 'a()')}\n${fence('<!-- a remark -->', 'sh', 'b')}`
    expect(problemsOf(markdown)).toEqual([
      'd.md:4: a js snippet that nothing runs',
      'd.md:8: the comment says nothing that is known: a remark',
    ])
  })

  it('lets no JavaScript be left out, and sh for a reason alone', () => {
    expect(problemsOf(fence('<!-- not run: it takes a Xen -->', 'js', 'a()'))).toEqual([
      'd.md:1: only sh may be left out, not js',
    ])
    expect(problemsOf(fence('<!-- not run: it takes a Xen -->', 'sh', 'a'))).toEqual([])
    expect(problemsOf(fence('<!-- not run: -->', 'sh', 'a'))).toHaveLength(1)
  })

  it('refuses a flag that is not known, a program without a group and output of no program', () => {
    expect(problemsOf(fence('<!-- run: a/b besides -->', 'js', ''))).toEqual([
      'd.md:1: "besides" is not known',
    ])
    expect(problemsOf(fence('<!-- run: b -->', 'js', ''))).toEqual(['d.md:1: "b" names no group'])
    expect(problemsOf(fence('<!-- prints: a/b -->', '', ''))).toEqual([
      'd.md:1: there is no program a/b above that prints this',
    ])
  })

  it('refuses a file that no program uses', () => {
    const file = fence('<!-- file: a.mjs -->', 'js', 'a()')
    expect(problemsOf(file)).toEqual(['d.md: no program uses the file a.mjs'])
    expect(problemsOf(file + fence('<!-- run: g/p -->', 'sh', 'node a.mjs'))).toEqual([])
  })

  it('makes one program of the fences that have one name, and gives it what it prints', () => {
    const markdown =
      fence('<!-- run: g/p in=3 given=store -->', 'js', 'a()') +
      fence('<!-- run: g/p in=3 -->', 'js', 'b()') +
      fence('<!-- prints: g/p -->', '', '1\n2')
    const [group] = documentFrom('d.md', markdown).groups
    expect(group!.programs).toEqual([
      { name: 'p', language: 'js', text: 'a()\nb()\n', in: '3', given: 'store', prints: ['1', '2'] },
    ])
  })
})

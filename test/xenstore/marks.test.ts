import { describe, expect, it } from 'vitest'
import { Marks } from '../../src/xenstore/marks.js'

function taken(marks: Marks): string[] {
  const all: string[] = []
  for (let path = marks.take(); path !== undefined; path = marks.take()) all.push(path)
  return all
}

describe('what has changed while nobody looked', () => {
  it('is each path once, the oldest first', () => {
    const marks = new Marks('/w')
    for (const path of ['/w/a', '/w/b', '/w/a', '/w']) marks.add(path)
    expect(taken(marks)).toEqual(['/w/a', '/w/b', '/w'])
    expect(marks.take()).toBeUndefined()
  })

  it.each([
    ['many', Array.from({ length: 65 }, (_, i) => `/w/${i}`)],
    ['long', Array.from({ length: 5 }, (_, i) => `/w/${i}`.padEnd(2000, 'x'))],
  ])('is the watched path when there are too %s, and each path again after that', (_what, paths) => {
    const marks = new Marks('/w')
    for (const path of paths) marks.add(path)
    marks.add('/w/later')
    expect(taken(marks)).toEqual(['/w'])
    marks.add('/w/a')
    expect(taken(marks)).toEqual(['/w/a'])
  })

  it('is each path by itself for as long as somebody looks', () => {
    const marks = new Marks('/w')
    for (let round = 0; round < 1000; round++) {
      const path = `/w/${round}`.padEnd(100, 'x')
      marks.add(path)
      marks.add('/w/b')
      expect([marks.take(), marks.take()]).toEqual([path, '/w/b'])
    }
  })
})

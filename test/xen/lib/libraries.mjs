import { execFileSync } from 'node:child_process'

/** Shared libraries, and the loader, that these ELF files need: absolute paths, as the dynamic linker names them. */
export function librariesOf(files) {
  const libraries = new Set()
  for (const file of files) {
    const listing = execFileSync('ldd', [file], { encoding: 'utf8', timeout: 30_000 })
    if (/not found/.test(listing)) throw new Error(`${file} lacks shared libraries:\n${listing}`)
    for (const [, path] of listing.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) libraries.add(path)
  }
  return [...libraries]
}

// A hook of Node's module loader. TypeDoc works with the compiler's JavaScript API, which TypeScript has no more from version 7
// on: it gets an older TypeScript than the one that builds the package.
export function resolve(specifier, context, next) {
  return next(specifier === 'typescript' ? '@typescript/typescript6' : specifier, context)
}

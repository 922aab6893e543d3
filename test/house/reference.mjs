// `npm run docs`: writes the reference into docs/api, from the declarations of every entry point. It fails when something that
// a program can reach has no comment, or when a comment links to something that there is not.
//
//   node test/house/reference.mjs [--check] [module …]
//
// With --check, as part of `npm run lint`, it writes nothing. Modules stand for the entry points in its own test (reference-finds.mjs).
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { entryPoints } from './exports.mjs'

register('./compiler-of-typedoc.mjs', import.meta.url)
const { Application, Converter, ReflectionKind } = await import('typedoc')

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values, positionals: modules } = parseArgs({
  options: { check: { type: 'boolean', default: false } },
  allowPositionals: true,
})

/** What must have a comment. Fields may do without where their names and types say all. */
const DOCUMENTED = ['Class', 'Interface', 'TypeAlias', 'Function', 'Method', 'Accessor', 'Variable', 'Enum']

const app = await Application.bootstrap({
  name: 'xen-grants',
  entryPoints: modules.length > 0 ? modules : entryPoints(root).map(({ source }) => source),
  tsconfig: `${root}tsconfig${modules.length > 0 ? '' : '.build'}.json`,
  // The compiler has had its say in `npm run typecheck`, in the version that the package is built with.
  skipErrorChecking: true,
  out: 'docs/api',
  readme: 'none',
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  disableSources: true,
  githubPages: false,
  requiredToBeDocumented: DOCUMENTED,
  validation: { notDocumented: true, invalidLink: true, notExported: false },
  treatWarningsAsErrors: true,
  logLevel: 'Warn',
})
// What console.log() prints of an object is called by Node and by nobody else.
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
  for (const method of project.getReflectionsByKind(ReflectionKind.Method))
    if (method.name === '[custom]') project.removeReflection(method)
})
const project = await app.convert()
if (project) {
  app.validate(project)
  if (!values.check) await app.generateOutputs(project)
}
if (!project || app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1

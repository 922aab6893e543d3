import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'

/**
 * @param {Record<string, string>} input declarations of the entry points, by their paths in the package without `.d.ts`
 * @returns {Promise<[string, string][]>} paths, and declarations in which every other one ends that they refer to
 */
export async function declarations(input) {
  const bundled = await rollup({
    input,
    external: /^node:/,
    plugins: [dts()],
    // Names that several entry points refer to and none exports: unique symbols, by which devices are known.
    onwarn(warning, warn) {
      if (!/references private shared type exports/.test(warning.message)) warn(warning)
    },
  })
  const { output } = await bundled.generate({
    format: 'es',
    entryFileNames: '[name].d.ts',
    chunkFileNames: ({ name }) => `src/declarations/${name.replace(/\.d$/, '')}.d.ts`,
  })
  await bundled.close()
  return output.map(({ fileName, code }) => [fileName, forAnyCompiler(indentedByTwo(code))])
}

const indentedByTwo = (code) => code.replace(/^(?: {4})+/gm, (spaces) => spaces.slice(spaces.length / 2))

/**
 * Before TypeScript 5.7 a Uint8Array has no parameter: to give it one is an error, which is ignored, and makes the type `any`.
 */
const BYTES_OVER = `// @ts-ignore
type Parametrized<T extends ArrayBufferLike> = Uint8Array<T>;
type BytesOver<T extends ArrayBufferLike> = 0 extends 1 & Parametrized<T> ? Uint8Array & { readonly buffer: T } : Parametrized<T>;
`

function forAnyCompiler(code) {
  const text = code.replace(/\bUint8Array<(\w+)>/g, 'BytesOver<$1>')
  return text === code ? code : text.replace(/\n(?!import )/, `\n${BYTES_OVER}`)
}

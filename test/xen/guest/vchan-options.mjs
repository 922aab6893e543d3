// The options of the command lines of peers/vchan.c and vchan-end.mjs, as an object: "put=3 echo" is { put: 3, echo: true }.

export function optionsOf(words) {
  return Object.fromEntries(
    words.map((word) => {
      const [name, value] = word.split('=')
      return [name, value === undefined ? true : Number(value)]
    }),
  )
}

export function wordsOf(options) {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => (value === true ? name : `${name}=${value}`))
}

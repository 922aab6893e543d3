const INTEGER = /^(?:0|-?[1-9][0-9]{0,15})$/

/**
 * A decimal integer and nothing else: no blank, no sign +, no leading zero, no NUL. Peers write the values, so what is not
 * plainly a number is none.
 * @returns undefined when it is not one from `min` to `max`
 */
export function parseInteger(
  text: string,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (!INTEGER.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined
}

/** Names that meet often. What is last in a list is wrong or rare, and drawn less. */
const PATHS = [
  '/a',
  '/a/b',
  '/a/b/c',
  '/a/bc',
  '/d',
  '/local/domain/5',
  '/local/domain/5/data',
  '/local/domain/6/data/x',
  'data',
  'data/x',
  'data/x/y',
  '/local',
  '/tool/xenstored',
  '/',
]
const ODD_PATHS = [
  '',
  '//',
  '/a/',
  '/a//b',
  '/a+b',
  '/a b',
  '/é',
  'x/',
  '@introduceDomain',
  '@releaseDomain',
  '@',
  '@other',
  '.',
  `/a/${'l'.repeat(60)}`,
  `/local/domain/5/${'l'.repeat(60)}`,
  `/local/domain/12345/${'m'.repeat(44)}`,
  `/local/domain/123456/${'m'.repeat(44)}`,
  `/local/domain/-5/${'m'.repeat(50)}`,
  `${'l'.repeat(50)}`,
]

const PERMISSIONS = ['n0', 'r0', 'n5', 'b5', 'n6', 'r6', 'w6', 'b0', 'r5', 'w5', 'b6', 'n7', 'r7', 'w8', 'n8']
const ODD_PERMISSIONS = [
  'n',
  'x0',
  '',
  'n 5',
  'n+6',
  'n-1',
  'n0x5',
  'n05',
  'n08',
  'r4294967296',
  'r4294967301',
  'n99999999999999999999',
  'n-99999999999999999999',
  'N5',
  'n5 ',
  'rx',
  'r\t6',
]

/** Those that oxenstored refuses as well: it reads numbers in another way than C. */
const WRONG_PERMISSIONS = ['n', 'x0', '', 'N5', 'rx']

/** Domids as requests name them. */
const DOMIDS = ['5', '6', '7', '8', '0', '5x', '', 'abc', '-1', '32752', ' 6', '+7', '4294967301']

/** One in `rarely` is of the second list. */
function draw(usual, odd, number, spice, rarely) {
  return spice % rarely === 0 ? odd[number % odd.length] : usual[number % usual.length]
}

export const pathOf = (number, spice) => draw(PATHS, ODD_PATHS, number, spice, 12)

export const domidText = (number, spice) => draw(DOMIDS.slice(0, 4), DOMIDS, number, spice, 3)

/** One to four entries. @param flavour 'ocaml' leaves out what only C reads as numbers */
export function permissionsOf(number, spice, flavour) {
  const odd = flavour === 'c' ? ODD_PERMISSIONS : WRONG_PERMISSIONS
  const count = 1 + (spice % 4)
  return Array.from({ length: count }, (_, i) =>
    draw(PERMISSIONS, odd, number * 7 + i * (spice + 1), spice + i * 5, 9),
  )
}

/** Values of all sizes up to some that a guest may not have. */
export function valueText(number, spice) {
  const lengths = [0, 1, 3, 10, 20, 40, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 100]
  const length = lengths[number % lengths.length]
  return String.fromCharCode(spice % 256).repeat(length)
}

/** A payload that is not quite what it should be, one time in 16. */
export function spoilt(payload, number, spice) {
  if (spice % 16 !== 5) return payload
  const ways = [
    () => payload.slice(0, -1),
    () => `${payload}\0`,
    () => `${payload}x`,
    () => `${payload}x\0`,
    () => `\0${payload}`,
    () => payload.replaceAll('\0', ''),
    () => '\0',
    () => '\0\0',
    () => '\0\0\0',
  ]
  return ways[number % ways.length]()
}

import { createHash } from 'node:crypto'

/** Ideographs of four bytes each that do not compress, so that an index has to hold all of them. */
function ideographs(length: number): string {
  return Array.from({ length }, (_, i) => {
    const number = createHash('sha256').update(`${i}`).digest().readUInt16BE()
    return String.fromCodePoint(0x20000 + (number % 0xa000))
  }).join('')
}

const hex = createHash('shake256', { outputLength: 500 }).update('user').digest('hex')
const astral = ideographs(999)

/** Ids that a store may take for one another, by the reason why. Within one kind no two are the same string. */
export const alikeIds: Readonly<Record<string, readonly string[]>> = {
  'quotes and backslashes': `' '' " "" \` \\ \\\\ \\' it's ';DELETE\tFROM\tsessions;-- $1 $$ ?1 @a`.split(
    ' ',
  ),
  'separators and braces': 'a b a:b a: :b : :: {a} {a}:b {} }{ a|b a/b a,b a#b ../a a\u001fb'.split(' '),
  patterns: '* a* ? a? ab a[bc] [ab] [^a] ac % a% _ a_ .* ^a a$ \\* \\%'.split(' '),
  'white space': 'a| a|a |a  |a b|a  b|a\t|a\n|\na|a\r\n|a\u00a0|\u2003a| |\n'.split('|'),
  'names of built-in properties': '__proto__ constructor prototype toString hasOwnProperty length then'.split(
    ' ',
  ),
  'numbers and literals': '1 01 1.0 1e0 +1 0x1 0 -0 null NULL undefined true NaN [] {} [object'.split(' '),
  'prefixes of one another': 'user user1 user10 user100 use u'.split(' '),
  'upper and lower case':
    'alice Alice ALICE \u00e9 \u00c9 i I \u0131 \u0130 \u00df \u1e9e ss SS \u03c3 \u03c2 \u03a3'.split(' '),
  'composed and decomposed characters':
    '\u00e9 e\u0301 e \u00c5 \u212b A\u030a \ufb01 fi \u2460 1 \uff71 \u30a2 \u1ea1\u0308 \u00e4\u0323'.split(
      ' ',
    ),
  'emoji and scripts': '👍 👍🏽 👩 👧 👩\u200d👧 👩👧 🇩🇪 🇩🇪🇩🇪 ☂ ☂\ufe0f مرحبا שלום 山田 नमस्ते'.split(' '),
  'invisible characters':
    'a \u202ea \u200ba a\u200d \ufeffa a\u0001 a\u007f a\u0085 a\uffff a\ufffd a\u{10ffff}'.split(' '),
  '1,000 characters': [hex, `${hex.slice(0, -1)}x`, hex.slice(0, -1), 'x'.repeat(1_000), 'x'.repeat(999)],
  '1,000 characters of four bytes': [`${astral}\u{20000}`, `${astral}\u{20001}`, astral, '😀'.repeat(1_000)],
}

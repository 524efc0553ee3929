const space = ' '.charCodeAt(0)
const minus = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)

/** SQL for a time as whole milliseconds since the epoch. */
export function milliseconds(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::bigint`
}

/** SQL for a time as whole milliseconds since the epoch, whatever time zone and date style the connection has. */
export function epochOf(column: string): string {
  return `${milliseconds(column)}::text AS ${column}`
}

/** The time that `epochOf` selected. */
export function toDate(milliseconds: string | null | undefined): Date {
  return new Date(Number(milliseconds))
}

/** Whole numbers with a space between, `NaN` if none is; digit by digit, as every request passes here. */
export function numbersIn(text: string): number[] {
  const numbers: number[] = []
  let number = Number.NaN
  let sign = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === space) {
      numbers.push(sign * number)
      number = Number.NaN
      sign = 1
    } else if (code === minus) sign = -1
    else number = (Number.isNaN(number) ? 0 : number) * 10 + (code - zero)
  }
  numbers.push(sign * number)
  return numbers
}

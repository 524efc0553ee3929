/** SQL for a time as whole milliseconds since the epoch, whatever time zone and date style the connection has. */
export function epochOf(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::bigint::text AS ${column}`
}

/** The time that `epochOf` selected. */
export function toDate(milliseconds: string | null | undefined): Date {
  return new Date(Number(milliseconds))
}

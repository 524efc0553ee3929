import { optionError } from '../../core/validation.js'
import { metadataIndexName } from '../shared/metadata.js'

/** PostgreSQL cuts longer identifiers off, and then two names can become one. */
const maxIdentifierBytes = 63
/** The longest name that is made from the prefix. */
const longestSuffix = 'sessions_user_id_idx'

/** The tables of one store, quoted and ready for SQL. */
export interface TableNames {
  /** The schema as it was given; `null`: whatever `search_path` finds. */
  readonly schema: string | null
  readonly sessions: string
  readonly data: string
  readonly users: string
  readonly deviceCodes: string
  readonly revocations: string
  readonly revocationMarker: string
  /** The function of the triggers. */
  readonly logRevocations: string
  readonly versions: string
  /** An index lives in the schema of its table, so it takes no schema of its own. */
  readonly userIndex: string
  readonly deviceCodesEndIndex: string
  readonly deviceCodesUserIndex: string
  readonly revocationsIndex: string
  metadataIndexOf(key: string): string
}

/** An identifier for SQL, whatever characters are in it. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string for SQL; as an escape string, so that no setting of the connection changes what a backslash is. */
export function quoteLiteral(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

function checkName(option: string, value: unknown, minLength: number, suffix: string): string {
  const maxBytes = maxIdentifierBytes - Buffer.byteLength(suffix)
  if (
    typeof value === 'string' &&
    value.length >= minLength &&
    value.isWellFormed() &&
    !value.includes('\0') &&
    Buffer.byteLength(value) <= maxBytes
  ) {
    return value
  }
  throw optionError(option, value, `a string without NUL, ${minLength} to ${maxBytes} bytes in UTF-8`)
}

/** Throws `GOSESH_ERR_OPTION` if a name could not be one in PostgreSQL. */
export function tableNames(schemaOption: unknown, tablePrefix: unknown): TableNames {
  const schema = schemaOption === undefined ? null : checkName('schema', schemaOption, 1, '')
  const prefix = checkName('tablePrefix', tablePrefix, 0, longestSuffix)
  const qualified = (suffix: string): string => {
    const table = quoteIdentifier(prefix + suffix)
    return schema === null ? table : `${quoteIdentifier(schema)}.${table}`
  }
  const sessions = qualified('sessions')
  return {
    schema,
    sessions,
    data: qualified('session_data'),
    users: qualified('users'),
    deviceCodes: qualified('device_codes'),
    revocations: qualified('revocations'),
    revocationMarker: qualified('revocation_marker'),
    logRevocations: qualified('log_revocations'),
    versions: qualified('schema'),
    userIndex: quoteIdentifier(prefix + longestSuffix),
    deviceCodesEndIndex: quoteIdentifier(`${prefix}device_codes_end_idx`),
    deviceCodesUserIndex: quoteIdentifier(`${prefix}device_code_user_idx`),
    revocationsIndex: quoteIdentifier(`${prefix}revocations_xid_idx`),
    metadataIndexOf: (key) => quoteIdentifier(`${prefix}sessions_${metadataIndexName(key)}`),
  }
}

import type { SchemaChecker } from '../../../types/store.js'
import type { ContractCases } from '../fixtures.js'

export const schemaCases: ContractCases<SchemaChecker> = {
  async 'checkSchema: resolves if the tables are there, as often as it is asked'(store) {
    await store.checkSchema()
    await store.checkSchema()
  },
}

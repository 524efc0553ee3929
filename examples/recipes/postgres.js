// @ts-check
import postgres from '@fastify/postgres'
import fp from 'fastify-plugin'
import gosesh from 'gosesh'
import { PostgresStore } from 'gosesh/postgres'

/**
 * Sessions in the PostgreSQL database of the application, by the pool of @fastify/postgres.
 *
 * @type {import('fastify').FastifyPluginAsync<{ connectionString: string }>}
 */
const plugin = async (app, { connectionString }) => {
  // Before gosesh: plugins close in reverse order, and the last activity is written before the pool ends.
  await app.register(postgres, { connectionString, connectionTimeoutMillis: 1_500 })
  await app.register(gosesh, {
    activityTracking: {},
    async store({ pg }) {
      const store = new PostgresStore(pg.pool)
      await store.migrate()
      return store
    },
  })
}

export const postgresSessions = fp(plugin)

// @ts-check
import redis from '@fastify/redis'
import fp from 'fastify-plugin'
import gosesh from 'gosesh'
import { RedisStore } from 'gosesh/redis'

/**
 * Sessions in the Redis of the application, by the client of @fastify/redis.
 *
 * @type {import('fastify').FastifyPluginAsync<{ url: string }>}
 */
const plugin = async (app, { url }) => {
  // Before gosesh: plugins close in reverse order, and the last activity is written before the client quits.
  await app.register(redis, { url, maxRetriesPerRequest: 1, commandTimeout: 1_000 })
  await app.register(gosesh, {
    activityTracking: {},
    store: (instance) => new RedisStore(instance.redis),
  })
}

export const redisSessions = fp(plugin)

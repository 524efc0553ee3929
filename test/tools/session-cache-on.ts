/** Imported first: what is imported after it runs with the option `sessionCache`. */
process.env.SESSION_CACHE = 'on'

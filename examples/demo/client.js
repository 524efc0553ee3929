// @ts-check

const browsers = [
  { name: 'Edge', pattern: /Edg\/(\d+)/ },
  { name: 'Opera', pattern: /OPR\/(\d+)/ },
  { name: 'Firefox', pattern: /Firefox\/(\d+)/ },
  { name: 'Chrome', pattern: /Chrome\/(\d+)/ },
  { name: 'Safari', pattern: /Version\/(\d+).*Safari\// },
]

const systems = [
  { name: 'Android', pattern: /Android/ },
  { name: 'iOS', pattern: /iPhone|iPad/ },
  { name: 'Windows', pattern: /Windows/ },
  { name: 'macOS', pattern: /Mac OS X/ },
  { name: 'Linux', pattern: /Linux/ },
]

/**
 * What signed in, in a few words, such as `Firefox 140 on Linux`: for the session's metadata, which is at most 4 KiB.
 *
 * @param {string | undefined} userAgent
 */
export function describeClient(userAgent) {
  if (userAgent === undefined || userAgent === '') return 'An unnamed client'
  for (const { name, pattern } of browsers) {
    const version = pattern.exec(userAgent)?.[1]
    if (version === undefined) continue
    const system = systems.find((candidate) => candidate.pattern.test(userAgent))
    return `${name} ${version}${system === undefined ? '' : ` on ${system.name}`}`
  }
  return userAgent.slice(0, 60)
}

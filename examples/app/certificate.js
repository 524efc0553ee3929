// @ts-check
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A certificate for these hosts, made by openssl for this run alone, and the hash of its key by which a browser can be told to
 * accept it.
 *
 * @param {readonly string[]} hosts
 */
export function createCertificate(hosts) {
  const folder = mkdtempSync(join(tmpdir(), 'gosesh-certificate-'))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const names = hosts.map((host) => `DNS:${host}`).join()
  try {
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ]
    const subject = ['-subj', `/CN=${hosts[0]}`, '-addext', `subjectAltName=${names}`]
    execFileSync('openssl', [...request, ...subject, '-keyout', keyFile, '-out', certFile], { stdio: 'pipe' })
    const cert = readFileSync(certFile)
    const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
    return { key: readFileSync(keyFile), cert, keyHash: createHash('sha256').update(spki).digest('base64') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

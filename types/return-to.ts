import type { Session } from './session.js'

/** Options of `returnTo`. */
export interface ReturnToOptions {
  /** The application's own origin, such as `https://app.example`. Without it only paths are its own. */
  readonly origin?: string | undefined
  /** Further origins to which a whole URL may lead. Default: none. */
  readonly allowedOrigins?: readonly string[] | undefined
  /** The path to go to instead. Default: `/`. */
  readonly fallback?: string | undefined
}

/** Options of `redirectToSignIn`. */
export interface RedirectToSignInOptions {
  /** The query parameter in which the sign-in page gets the page that was asked for. Default: `next`. */
  readonly parameter?: string | undefined
}

/** The part of a request that the hook of `redirectToSignIn` reads; any server and any logger has it. */
export interface RequestForSignIn {
  readonly method: string
  readonly originalUrl: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  requireSession(): Session
}

/** The part of a reply that it uses. */
export interface ReplyForSignIn {
  header(name: string, value: string): unknown
  redirect(url: string, code: number): unknown
}

/** A hook for `onRequest`. */
export type RedirectToSignInHook = (request: RequestForSignIn, reply: ReplyForSignIn) => Promise<unknown>

/** How a request proves who it is, in OpenAPI's words (the Security Scheme Object of OpenAPI 3.0, 3.1 and 3.2). */
export type OpenApiSecurityScheme =
  | { readonly type: 'http'; readonly scheme: string }
  | { readonly type: 'apiKey'; readonly in: 'cookie' | 'header'; readonly name: string }

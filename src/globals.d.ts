/** The package's version; the bundler puts it in. */
declare const CRONWRAP_VERSION: string

/** The package has no types of its own. */
declare module 'json-merge-patch' {
  export function apply(target: unknown, patch: unknown): unknown
}

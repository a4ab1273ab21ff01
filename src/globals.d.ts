/** The package's version; the bundler puts it in. */
declare const CRONWRAP_VERSION: string

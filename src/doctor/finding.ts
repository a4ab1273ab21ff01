/** One thing that is not as it should be. */
export interface Finding {
  /** Never changes, so that scripts can tell findings apart. */
  readonly id: string
  /** A note is worth knowing and no reason to act: with notes alone all is healthy. */
  readonly severity: 'error' | 'warning' | 'note'
  /** Null for what concerns all jobs. */
  readonly job: string | null
  readonly seen: string
  readonly means: string
  /** The command to run next. */
  readonly next: string
  readonly fix?: Fix
}

/** What `--fix` does about it. */
export interface Fix {
  readonly says: string
  readonly apply: () => Promise<void>
}

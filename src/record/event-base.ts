/** What every fact in the journal has. */
export interface EventBase {
  /** The same fact has the same id, however often it is appended. */
  readonly id: string
  /** When it was recorded: ISO 8601 with milliseconds and the local offset. */
  readonly time: string
  readonly job: string
}

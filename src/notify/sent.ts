/** How an attempt to tell somebody ended. */
export type Sent = {
  /** Nobody was there, or all the time was used up: another message would only wait for the same. */
  readonly isStuck?: boolean
} & (
  | {
      readonly kind: 'sent'
      /** What came back, for whoever tests a target. */
      readonly answer: string
    }
  /** Another attempt may succeed. */
  | { readonly kind: 'failed'; readonly error: string; readonly retryAfterMs?: number }
  /** It will never be taken. */
  | { readonly kind: 'rejected'; readonly error: string }
)

/** How an attempt to tell somebody ended. */
export type Sent =
  /** `answer`: what came back, for whoever tests a target. */
  | { readonly kind: 'sent'; readonly answer: string }
  /** Another attempt may succeed. `isUnreachable`: nobody took any message. */
  | {
      readonly kind: 'failed'
      readonly error: string
      readonly retryAfterMs?: number
      readonly isUnreachable?: boolean
    }
  /** It will never be taken. */
  | { readonly kind: 'rejected'; readonly error: string }

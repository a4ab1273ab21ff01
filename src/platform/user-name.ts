import { userInfo } from 'node:os'

/** The name of who runs this; null where there is none, as in a container. */
export function ownUserName(): string | null {
  try {
    return userInfo().username
  } catch {
    return null
  }
}

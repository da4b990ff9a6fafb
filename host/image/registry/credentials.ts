/** What a client shows of itself to a registry. */

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** refresh token that a token server takes in place of a password */
  readonly identityToken?: string;
}

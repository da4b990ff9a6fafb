/** The version of the protocol between host and guest agent. */

/** Raised with every message or field that an older side does not know. */
export const PROTOCOL_VERSION = 6;

/**
 * Oldest guest agent that the host speaks to, since machines run on when dvm is updated: what an agent does not know
 * it refuses by the request. 4 knows more kinds of root than 3; 5 sends longer frames and is further ahead; 6
 * knows disks to swap to.
 */
export const OLDEST_AGENT_VERSION = 3;

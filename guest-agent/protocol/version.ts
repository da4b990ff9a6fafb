/** The version of the protocol between host and guest agent. */

/** Raised with every change that an older side would misread; both sides refuse a version not their own. */
export const PROTOCOL_VERSION = 3;

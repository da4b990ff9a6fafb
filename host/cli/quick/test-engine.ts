/** What the guest agent's engine offers, for tests of its programs' parts under Node. */

Object.assign(globalThis, {
  engine: {
    encode: (text: string) => new TextEncoder().encode(text).buffer,
    decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  },
});

/**
 * Whether a host speaks TLS, whoever it says it is. Nothing is sent to it, so that no authority has to be known: reading
 * them takes longer than all that a registry on this machine is asked for before the layers.
 */
import { connect, type TLSSocket } from "node:tls";
import { speaksNoTls } from "./registry-error.ts";

/** For all of it, in `milliseconds`. */
const TIMEOUT = 15_000;

/** @returns `undefined` where nothing that either of them answers came in time, or before the signal */
export function speaksTls(
  { hostname, port }: URL,
  signal?: AbortSignal,
): Promise<boolean | undefined> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
  const giveUp = (): void => resolve(undefined);
  const timer = setTimeout(giveUp, TIMEOUT);
  if (signal?.aborted === true) giveUp();
  signal?.addEventListener("abort", giveUp);
  const socket: TLSSocket = connect({
    host,
    port: Number(port) || 443,
    ca: [],
    // Its certificate is checked when there is something to say to it.
    rejectUnauthorized: false,
  });
  socket.once("secureConnect", () => resolve(true));
  socket.on("error", (error) => resolve(speaksNoTls(error) ? false : undefined));
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    socket.destroy();
  });
}

/** A store, and a registry session with settings of the test's own: nothing of the user's counts. */
import type { ImageStore } from "../image-store.ts";
import { type LoadedImage, type LoadOptions, loadImage } from "../load-image.ts";
import { parseNamed } from "../reference.ts";
import { RegistrySession, type RegistrySessionOptions } from "../registry/registry-session.ts";
import type { RegistrySettings } from "../registry/registry-settings.ts";
import { openRegistrySource } from "../registry/registry-source.ts";

export const PLAIN_SETTINGS: RegistrySettings = {
  insecure: [],
  mirrors: new Map(),
  caFiles: [],
  certificateFolders: [],
  dockerConfig: "/nonexistent/config.json",
  proxies: false,
};

export function testSession(
  settings: Partial<RegistrySettings> = {},
  options: Omit<RegistrySessionOptions, "settings"> = {},
): RegistrySession {
  return new RegistrySession({
    sleep: () => Promise.resolve(),
    ...options,
    settings: { ...PLAIN_SETTINGS, ...settings },
  });
}

/** Pulls an image by its name, and lists it. */
export async function pullInto(
  store: ImageStore,
  name: string,
  session: RegistrySession,
  options: Partial<LoadOptions> = {},
): Promise<LoadedImage> {
  const reference = parseNamed(name);
  return await loadImage(openRegistrySource(reference, session), {
    store,
    tag: reference,
    ...options,
  });
}

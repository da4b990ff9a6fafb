/** The layout of an image that a bench runs: the benches' own, one of the project's by name, or the user's. */

import { homedir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../images/build-image.ts";
import { projectImages } from "../../images/catalogue.ts";
import { IMAGES } from "../paths.ts";
import { benchImage } from "./recipe.ts";

/**
 * Makes sure that the layout stands.
 *
 * @param image `bench`, the name of a project image, or `oci:FOLDER`
 * @returns the path of an OCI image layout whose tag is `latest`
 * @throws Error for a name that is none of these
 */
export async function benchLayout(image: string, say: (text: string) => void): Promise<string> {
  if (image.startsWith("oci:")) return image.slice("oci:".length);
  const recipe = [benchImage, ...projectImages].find(({ name }) => name === image);
  if (recipe === undefined) throw new Error(`no image ${image}: name bench, busybox or oci:FOLDER`);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return await buildImage(recipe, {
    outDirectory: IMAGES,
    cacheDirectory: join(cache, "dvm/images"),
    onProgress: say,
  });
}

/** Opens what a reference to local files names. */
import type { FileReference } from "../reference.ts";
import { openArchiveTree } from "./archive-tree.ts";
import { openDockerArchive } from "./docker-archive.ts";
import { openFolderTree } from "./file-tree.ts";
import type { ImageSource } from "./image-source.ts";
import { openOciLayout } from "./oci-layout.ts";

/**
 * Opens the files of a reference.
 * @param spoolFolder where a compressed archive is unpacked to, for as long as the source is open
 * @throws SOURCE_UNREADABLE, LAYER_CORRUPT
 */
export async function openFileSource(
  reference: FileReference,
  spoolFolder: string,
): Promise<ImageSource> {
  switch (reference.transport) {
    case "oci":
      return openOciLayout(await openFolderTree(reference.path), reference.image);
    case "oci-archive":
      return openOciLayout(await openArchiveTree(reference.path, spoolFolder), reference.image);
    case "docker-archive":
      return openDockerArchive(await openArchiveTree(reference.path, spoolFolder), reference.image);
  }
}

/** What can go wrong between an image's layers and the disks of its container. */

import { errorTable } from "../errors.ts";

export const rootfsError = errorTable({
  ROOTFS_BAD_ENTRY: {
    exitCode: 125,
    hint: "the image is damaged or was made to do harm: build or pull it again",
  },
  ROOTFS_BAD_DATA: {
    exitCode: 125,
    hint: "the layer's data file does not fit its entries: remove the image and pull it again",
  },
  ROOTFS_TOO_LARGE: {
    exitCode: 125,
    hint: "the image asks for more than a root disk can hold: split it or make it smaller",
  },
  ROOTFS_WRITE_FAILED: {
    exitCode: 125,
    hint: "see that the store's file system has room and that this user may write to it",
  },
  DISK_BAD_SIZE: { exitCode: 125, hint: "give a number with a unit, such as 512M or 10G" },
  DISK_FORMAT_FAILED: { exitCode: 125, hint: "install e2fsprogs: apt-get install e2fsprogs" },
});

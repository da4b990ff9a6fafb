/** Folder of a flat disk that is the container's root: beside it lies what ext4 has of its own, `lost+found`. */
export const FLAT_ROOT = "root";

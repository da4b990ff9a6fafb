/**
 * An image of several layers on the Debian base, written by two tools: deletions, replaced types, opaque folders,
 * hard links across layers, file capabilities, xattrs, sparse files, devices, long and non-ASCII names.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { debian } from "../debian/recipe.ts";
import type { ImageRecipe } from "../recipe.ts";

export const layered: ImageRecipe = {
  name: "layered",
  purpose: "an image of five layers with all that a layer can hold",
  bases: [debian],
  async build({ layout, scratch, run, base }) {
    const script = join(scratch, "build.sh");
    const storage = `--root=${join(scratch, "storage")} --runroot=${join(scratch, "runroot")}`;
    await writeFile(
      script,
      `set -eu
b() { command="$1"; shift; buildah ${storage} "$command" "$@"; }
container=$(b from oci:${base("debian")}:latest)
commit() { b commit --quiet "$container" "$1" >/dev/null; b rm "$container" >/dev/null; container=$(b from "$1"); }

root=$(b mount "$container")
mkdir -p "$root/data/deep/deeper" "$root/data/gone" "$root/data/opaque/old"
echo one >"$root/data/one"; echo two >"$root/data/two"
ln "$root/data/one" "$root/data/one-link"
ln -s ../data/one "$root/data/deep/link"; ln -s missing "$root/data/dangling"
echo old >"$root/data/opaque/old/file"; echo gone >"$root/data/gone/file"
long=$(printf 'n%.0s' $(seq 1 250)); echo long >"$root/data/$long"
echo umlaut >"$root/data/größe-日本語"
printf 'raw' >"$root/data/$(printf 'latin-\\351')"
truncate -s 10M "$root/data/sparse"; printf end | dd of="$root/data/sparse" bs=1 seek=8000000 conv=notrunc status=none
cp "$root/bin/true" "$root/data/capable"; setcap cap_net_raw+ep "$root/data/capable"
cp "$root/bin/true" "$root/data/setuid"; chmod 4755 "$root/data/setuid"
cp "$root/bin/true" "$root/data/setgid"; chown 3:4 "$root/data/setgid"; chmod 2755 "$root/data/setgid"
mkdir "$root/data/sticky"; chmod 1777 "$root/data/sticky"; chown 70000:80000 "$root/data/sticky"
setfattr -n user.note -v value "$root/data/two"
mkfifo "$root/data/fifo"; mknod "$root/data/null" c 1 3; mknod "$root/data/loop" b 7 0
touch -d '2001-02-03 04:05:06.789' "$root/data/two"
commit second

root=$(b mount "$container")
rm -r "$root/data/gone" "$root/data/one"
rm "$root/data/deep/link"; mkdir "$root/data/deep/link"; echo was-a-link >"$root/data/deep/link/file"
rm -r "$root/data/opaque"; mkdir "$root/data/opaque"; echo new >"$root/data/opaque/new"
echo changed >>"$root/data/two"
rm -rf "$root/usr/share/doc"
rm "$root/data/dangling"; echo now-a-file >"$root/data/dangling"
commit third

root=$(b mount "$container")
ln "$root/data/two" "$root/data/two-link"
chmod 600 "$root/data/one-link"
mkdir "$root/data/gone"; echo back >"$root/data/gone/again"
b config --env LAYERED=yes --workingdir /data --user 0 "$container"
b commit --quiet "$container" oci:${layout}:latest >/dev/null
`,
    );
    // the mounts of a script that fails halfway go with its namespace
    await run("unshare", "--mount", "sh", script);
    const opaque = join(scratch, "opaque");
    await run("mkdir", "-p", opaque);
    await writeFile(join(opaque, "only"), "only\n");
    await run("umoci", "insert", "--image", `${layout}:latest`, "--opaque", opaque, "/data/deep");
    await run("umoci", "insert", "--image", `${layout}:latest`, "--whiteout", "/data/sticky");
    await run("umoci", "gc", "--layout", layout);
  },
};

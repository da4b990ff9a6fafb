/** dvm image: the commands that manage images, by their long names. */

import { commandGroup } from "../command-group.ts";

export const image = commandGroup({
  name: "image",
  summary: "Manage images",
  members: {
    history: async () => (await import("./history.ts")).history,
    import: async () => (await import("./import.ts")).importCommand,
    inspect: async () => (await import("./inspect.ts")).imageInspect,
    load: async () => (await import("./load.ts")).load,
    ls: async () => (await import("./images.ts")).images,
    prune: async () => (await import("./image-prune.ts")).imagePrune,
    pull: async () => (await import("./pull.ts")).pull,
    push: async () => (await import("./push.ts")).push,
    rm: async () => (await import("./rmi.ts")).rmi,
    save: async () => (await import("./save.ts")).save,
    tag: async () => (await import("./tag.ts")).tag,
  },
});

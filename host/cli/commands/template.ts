/** dvm template: the booted machines that containers' machines are cloned from. */

import { commandGroup } from "../command-group.ts";

export const template = commandGroup({
  name: "template",
  summary: "Manage the booted machines that containers' machines are cloned from",
  members: {
    build: async () => (await import("./template-build.ts")).templateBuild,
    ls: async () => (await import("./template-ls.ts")).templateLs,
    rm: async () => (await import("./template-rm.ts")).templateRm,
  },
});

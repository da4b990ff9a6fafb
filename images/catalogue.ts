/** The images that the project ships, and those that its tests run besides. */

import { busybox } from "./busybox/recipe.ts";
import { debian } from "./debian/recipe.ts";
import { layered } from "./layered/recipe.ts";
import { programs } from "./programs/recipe.ts";
import type { ImageRecipe } from "./recipe.ts";
import { servers } from "./servers/recipe.ts";
import { workloads } from "./workloads/recipe.ts";

/** Run by their short name, `dvm run busybox`. */
export const projectImages: readonly ImageRecipe[] = [busybox];

export const testImages: readonly ImageRecipe[] = [debian, layered, programs, servers, workloads];

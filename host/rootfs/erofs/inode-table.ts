/** Numbers the inodes of a tree, breadth first: the inodes of a folder's files lie side by side on disk. */

import type { DirectoryNode, TreeNode } from "../tree.ts";
import { direntNames } from "./directory.ts";

/** An inode and what the tree says of it. */
export interface TableRow {
  readonly node: TreeNode;
  /** number of its names; for a folder 2 and one for each folder in it */
  links: number;
  /** row of the folder that holds it, for `..`; the root's is its own */
  readonly parent: number;
  /** names in a folder, sorted, with `.` and `..`; undefined for others */
  readonly names: readonly string[] | undefined;
}

export interface InodeTable {
  /** the root first */
  readonly rows: readonly TableRow[];
  readonly rowOf: ReadonlyMap<TreeNode, number>;
}

/** Numbers every inode of the tree once, however many names it has. */
export function numberInodes(root: DirectoryNode): InodeTable {
  const rows: TableRow[] = [];
  const rowOf = new Map<TreeNode, number>();
  const add = (node: TreeNode, parent: number) => {
    const isFolder = node.type === "directory";
    const names = isFolder ? direntNames(node.children) : undefined;
    rowOf.set(node, rows.length);
    rows.push({ node, links: isFolder ? 2 : 1, parent, names });
  };
  add(root, 0);
  // `rows` grows while it is walked.
  for (const [index, row] of rows.entries()) {
    if (row.node.type !== "directory") continue;
    for (const name of row.names ?? []) {
      const child = row.node.children.get(name);
      if (child === undefined) continue;
      const known = rowOf.get(child);
      const knownRow = known === undefined ? undefined : rows[known];
      if (knownRow === undefined) add(child, index);
      else knownRow.links += 1;
      if (child.type === "directory") row.links += 1;
    }
  }
  return { rows, rowOf };
}

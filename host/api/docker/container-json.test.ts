import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerView, ContainerViewState } from "../../engine/daemon/model.ts";
import { PLAIN_CONFIG } from "../../engine/test-engine.ts";
import { TEST_RUN } from "../server/test-engine.ts";
import { filterContainers } from "./container-filter.ts";
import { containerJson, containerSummaryJson, statusText } from "./container-json.ts";
import { Filters } from "./filters.ts";

const NOW = Date.parse("2024-01-01T01:00:00Z");

function view(parts: Partial<ContainerView> = {}, state: Partial<ContainerViewState> = {}) {
  return {
    id: "0123456789abcdef".repeat(4),
    name: "web",
    created: "2024-01-01T00:00:00Z",
    config: PLAIN_CONFIG,
    image: {
      name: "docker.io/library/busybox:latest",
      manifestDigest: "sha256:m",
      imageId: "sha256:i",
      run: TEST_RUN,
    },
    state: { status: "running", oomKilled: false, startedAt: "2024-01-01T00:57:00Z", ...state },
    ...parts,
  } satisfies ContainerView;
}

test("says in words what a container is at", () => {
  const words = (state: Partial<ContainerViewState>) => statusText(view({}, state), NOW);
  assert.equal(words({}), "Up 3 minutes");
  assert.equal(words({ status: "paused" }), "Up 3 minutes (Paused)");
  assert.equal(words({ status: "created" }), "Created");
  const finishedAt = "2024-01-01T00:59:00Z";
  assert.equal(
    words({ status: "exited", exitCode: 7, finishedAt }),
    "Exited (7) About a minute ago",
  );
  assert.equal(words({ status: "restarting", finishedAt }), "Restarting (0) About a minute ago");
  const health = { status: "unhealthy" as const, failingStreak: 3, log: [] };
  assert.equal(words({ health }), "Up 3 minutes (unhealthy)");
  assert.equal(
    words({ health: { ...health, status: "starting" } }),
    "Up 3 minutes (health: starting)",
  );
});

test("fills the image's defaults in", () => {
  const config = { ...PLAIN_CONFIG, env: ["A=1", "PATH"], labels: { own: "x" }, command: [] };
  const json = containerJson(view({ config }));
  const { Config, Path, Image, Name } = json as {
    Config: Record<string, unknown>;
    Path: string;
    Image: string;
    Name: string;
  };
  assert.equal(Path, "sh");
  assert.deepEqual(Config.Cmd, ["sh"]);
  assert.deepEqual(Config.Env, ["A=1"]);
  assert.deepEqual(Config.Labels, { maker: "tests", own: "x" });
  assert.equal(Config.Hostname, "0123456789ab");
  assert.deepEqual([Image, Name], ["sha256:i", "/web"]);
});

test("quotes arguments with spaces in a list", () => {
  const config = { ...PLAIN_CONFIG, command: ["sh", "-c", "a b"] };
  assert.equal(containerSummaryJson(view({ config }), { now: NOW }).Command, "sh -c 'a b'");
});

test("takes the containers that every filter accepts", () => {
  const all = [
    view({ id: "a".repeat(64), name: "old", created: "2024-01-01T00:00:00Z" }),
    view(
      { id: "b".repeat(64), name: "new", created: "2024-01-01T00:10:00Z" },
      { status: "exited", exitCode: 3, finishedAt: "2024-01-01T00:59:00Z" },
    ),
  ];
  const named = (filters: Record<string, string[]>) =>
    filterContainers(all, new Filters(new Map(Object.entries(filters)))).map(({ name }) => name);
  assert.deepEqual(named({}), ["old", "new"]);
  assert.deepEqual(named({ status: ["exited"] }), ["new"]);
  assert.deepEqual(named({ exited: ["3"] }), ["new"]);
  assert.deepEqual(named({ exited: ["0"] }), []);
  assert.deepEqual(named({ name: ["^/ol"] }), ["old"]);
  assert.deepEqual(named({ ancestor: ["busybox"] }), ["old", "new"]);
  assert.deepEqual(named({ ancestor: ["debian"] }), []);
  assert.deepEqual(named({ before: ["new"] }), ["old"]);
  assert.deepEqual(named({ since: ["old"] }), ["new"]);
  assert.deepEqual(named({ label: ["maker=tests"], status: ["running"] }), ["old"]);
  assert.deepEqual(named({ expose: ["80"] }), ["old", "new"]);
  assert.throws(() => named({ status: ["gone"] }), /invalid filter 'status=gone'/);
  assert.throws(() => named({ before: ["nobody"] }), /no such container: nobody/);
});

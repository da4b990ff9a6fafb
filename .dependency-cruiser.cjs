/** Tests and what only they import may reach anywhere. */
const TESTS = "(\\.test|/test-[^/]*|/(vm-test|test-support)/.*)\\.ts$";

// The layers of the project, enforced: cli -> api -> engine -> {image, rootfs, vmm, agent, network} -> sys.
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, pathNot: TESTS },
  to: { path: "^(host|guest-agent|kernel-config|images|bench)/", pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    only(
      "protocol-alone",
      "^guest-agent/protocol/",
      ["^guest-agent/protocol/"],
      "the protocol imports nothing but itself",
    ),
    only(
      "linux-alone",
      "^guest-agent/linux/",
      ["^guest-agent/linux/"],
      "the kernel ABI imports nothing but itself",
    ),
    only(
      "guest-not-host",
      "^guest-agent/",
      ["^guest-agent/"],
      "the guest agent never imports the host",
    ),
    {
      name: "guest-no-node",
      comment:
        "the guest agent, the jail and quick runs are on QuickJS, which has no modules of Node and no packages",
      severity: "error",
      from: {
        path: "^(guest-agent/(protocol|linux|init|container|syscalls)|host/(vmm/jail/program|sys/quickjs|cli/quick))/",
        pathNot: TESTS,
      },
      to: { dependencyTypes: ["core", "npm", "npm-dev"] },
    },
    {
      name: "host-guest-border",
      comment: "of the guest agent the host sees the protocol and the kernel ABI alone",
      severity: "error",
      from: { path: "^host/", pathNot: TESTS },
      to: { path: "^guest-agent/", pathNot: ["^guest-agent/(protocol/index|linux/[^/]+)\\.ts$"] },
    },
    only(
      "sys-below-all",
      "^host/sys/",
      ["^host/sys/", "^guest-agent/linux/"],
      "sys is the ground floor",
    ),
    only("image-layer", "^host/image/", [
      "^host/(image|rootfs|sys|errors)(/|\\.ts$)",
      "^guest-agent/linux/",
    ]),
    only("rootfs-layer", "^host/rootfs/", [
      "^host/(rootfs|sys|errors)(/|\\.ts$)",
      "^guest-agent/linux/",
    ]),
    only("vmm-layer", "^host/vmm/", [
      "^host/(vmm|sys|errors)(/|\\.ts$)",
      "^host/rootfs/extent\\.ts$",
      "^guest-agent/linux/",
    ]),
    only("agent-layer", "^host/agent/", [
      "^host/(agent|sys|errors)(/|\\.ts$)",
      "^guest-agent/(protocol/index|linux/)",
    ]),
    only("network-layer", "^host/network/", [
      "^host/(network|sys|errors)(/|\\.ts$)",
      "^guest-agent/linux/",
    ]),
    {
      name: "engine-layer",
      comment: "the engine knows neither its API nor its clients",
      severity: "error",
      from: { path: "^host/engine/" },
      to: { path: "^host/(api|cli)/" },
    },
    {
      name: "cli-through-api",
      comment: "the command line reaches the engine through the API alone",
      severity: "error",
      from: { path: "^host/cli/", pathNot: TESTS },
      to: {
        path: "^host/(engine|image|rootfs|vmm|agent|network|sys)/",
        pathNot: "^host/sys/quickjs/",
      },
    },
    {
      name: "quickjs-programs",
      comment: "system calls of QuickJS's programs are for those alone",
      severity: "error",
      from: { path: "^host/", pathNot: `^host/(vmm/jail/program|sys/quickjs|cli/quick)/|${TESTS}` },
      to: { path: "^host/sys/quickjs/" },
    },
    {
      name: "koffi-in-sys",
      comment: "foreign calls live in sys alone",
      severity: "error",
      from: { pathNot: "^host/sys/" },
      to: { path: "node_modules/koffi" },
    },
    {
      name: "vmm-core-neutral",
      comment: "the VMM core sees the system through an interface: neither Node nor koffi",
      severity: "error",
      from: { path: "^host/vmm/(kvm|devices|x86_64|memory)/", pathNot: TESTS },
      to: { dependencyTypes: ["core", "npm"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
    },
  },
};

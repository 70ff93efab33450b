/** Which room may import which: arrows go down only, and nowhere in a circle. `npm run check` holds the sources to it. */
const rooms = [
  ["core"],
  ["rotary"],
  ["tensor", "formats"],
  ["hub"],
  ["tokenizer"],
  ["cache"],
  ["model"],
  ["press"],
  ["session"],
  ["chat"],
  ["runtimes"],
  ["eval", "server", "ai", "worker"],
  ["cli"],
];

/** A room may not import from rooms above it, nor from those beside it. */
const downOnly = rooms.flatMap((beside, level) =>
  beside.map((room) => ({
    name: `${room} imports from below only`,
    severity: "error",
    from: { path: `^src/${room}/` },
    to: {
      path: `^src/(${[...beside.filter((other) => other !== room), ...rooms.slice(level + 1).flat()].join("|")})/`,
    },
  })),
);

export default {
  forbidden: [
    { name: "no circles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "the top of src is below every room",
      severity: "error",
      from: { path: "^src/(errors|show|options|pause|dispose|steps)\\.ts$" },
      to: { path: "^src/[^/]+/" },
    },
    ...downOnly.filter(({ to }) => !to.path.includes("()")),
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
  },
};

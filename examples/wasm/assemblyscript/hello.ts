// Says what it was given: one line to stdout, one to stderr, its environment and its arguments.
console.log("Hello from stdout, AssemblyScript!");
console.error("Hello from stderr, AssemblyScript!");

const names = process.env.keys();
for (let i = 0; i < names.length; i++) {
  console.log(names[i] + "=" + process.env.get(names[i]));
}
console.log("Arguments: " + process.argv.join(" "));

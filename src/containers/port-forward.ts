// A connection to a port as seen from inside a pod, where a program may listen on its loopback only. Only a
// process can enter a network namespace, so one small process carries each connection.
import { spawn } from "node:child_process";
import { Duplex } from "node:stream";

/** Run by `node -e` inside the namespace: joins its stdin and stdout to the port, and says so on stderr. */
const carrier =
  'const n=require("net"),o=new n.Socket({fd:1,readable:false});' +
  'const s=n.connect({port:+process.argv[1],host:"127.0.0.1",allowHalfOpen:true});' +
  's.on("error",e=>{process.stderr.write(e.message,()=>process.exit(1))});' +
  's.on("connect",()=>{process.stderr.write("connected");' +
  "process.stdin.pipe(s);s.pipe(o)})";

/** `pid` is a process in the pod's network namespace. Rejects when nothing listens. */
export const dialInNamespace = (pid: number, port: number) => dialFrom(`/proc/${pid}/ns/net`, port);

/** `netns` is the path of a network namespace. */
export function dialFrom(netns: string, port: number): Promise<Duplex> {
  const command = [`--net=${netns}`, process.execPath, "-e", carrier, String(port)];
  const child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {});
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said !== "connected") return;
      const stream = Duplex.from({ readable: child.stdout, writable: child.stdin } as any);
      stream.on("close", () => child.kill());
      resolve(stream);
    });
    child.on("error", reject);
    child.stderr.on("end", () => reject(new Error(`cannot reach port ${port}: ${said}`)));
  });
}

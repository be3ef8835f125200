// What the API server asks of a node on behalf of `kubectl logs`, `exec`, `attach`, `port-forward` and `proxy`.
// In one process the server holds the agent's object itself; a remote node implements the same calls
// over its tunnel. It lies in lib because neither server nor node may know the other.
import type { Duplex } from "node:stream";
import type { Family } from "./exposition.ts";

/** Both ends of an exec or attach. */
export interface Streams {
  /** Chunks typed by the client; absent without stdin. Ends when the client closes its input. */
  stdin: AsyncIterable<Uint8Array> | undefined;
  /** Resolves when the chunk is on its way; await it for back-pressure. */
  stdout: (chunk: Uint8Array) => Promise<void>;
  stderr: (chunk: Uint8Array) => Promise<void>;
  /** Terminal sizes, when there is a terminal. */
  resize: AsyncIterable<{ width: number; height: number }> | undefined;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
}

export interface PodAddress {
  namespace: string;
  name: string;
  uid: string;
}

/** `v1 PodLogOptions`. */
export interface LogOptions {
  follow?: boolean;
  previous?: boolean;
  sinceSeconds?: number;
  sinceTime?: string;
  timestamps?: boolean;
  tailLines?: number;
  limitBytes?: number;
  /** "All" (default), "Stdout" or "Stderr". */
  stream?: string;
}

export interface ExecOptions {
  command: string[];
  tty: boolean;
}

/** What runs used up to now. Only differences of `cpuNanoseconds` mean anything. */
export interface Used {
  cpuNanoseconds: number;
  /** Memory that could not be given back at once. */
  workingSetBytes: number;
}

export interface NodeUsage extends Used {
  containers: (Used & { pod: PodAddress; name: string; id: string })[];
}

/** What a pod used up to now. */
export interface PodUse extends Used {
  /** As the pod sees it. */
  network?: Record<
    | "rxBytes"
    | "rxPackets"
    | "rxErrors"
    | "rxDropped"
    | "txBytes"
    | "txPackets"
    | "txErrors"
    | "txDropped",
    number
  >;
}

/** What a wing answers for at a node: questions and answers are JSON. Throws StatusErrors. */
export interface NodePart {
  ask(question: any): Promise<unknown>;
  open(question: any): Promise<Duplex>;
  /** What it adds to the node's `/metrics`; `used` knows pods by uid. */
  families?(used: (podUid: string) => PodUse | undefined): Promise<Family[]>;
  /** Answers a probe of a pod that is the part's, where it knows better than to ask the pod; never rejects. */
  probe?(podUid: string, probe: PartProbe): Promise<PartVerdict> | undefined;
}

export interface PartProbe {
  /** Of a probe that runs one. */
  command?: string[] | undefined;
  timeoutMs: number;
}

export interface PartVerdict {
  ok: boolean;
  output: string;
}

/** By name; a wing adds its own once it runs. */
export type NodeParts = Map<string, NodePart>;

export interface NodeConnection {
  /** Throws StatusError (NotFound, BadRequest) before the first chunk when the container has no log. */
  logs(
    pod: PodAddress,
    container: string,
    options: LogOptions,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>;
  /** Resolves with the command's exit code. */
  exec(pod: PodAddress, container: string, options: ExecOptions, streams: Streams): Promise<number>;
  attach(
    pod: PodAddress,
    container: string,
    options: { tty: boolean },
    streams: Streams,
  ): Promise<void>;
  /** A byte stream to a port inside the pod. */
  portForward(pod: PodAddress, port: number): Promise<Duplex>;
  /** A TCP connection from the node to an address it can reach: its own, or that of a pod on it. */
  dial(host: string, port: number): Promise<Duplex>;
  /** Of the machine and of every container on it. */
  usage(): Promise<NodeUsage>;
  /** Asks a part of the node; NotFound where it has none of that name. */
  ask(part: string, question: object): Promise<unknown>;
  /** A byte stream that a part of the node gives. */
  open(part: string, question: object): Promise<Duplex>;
}

/** Finds the node's connection; throws StatusError when the node is not reachable. */
export type NodeConnector = (nodeName: string) => Promise<NodeConnection>;

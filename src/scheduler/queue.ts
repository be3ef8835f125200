// Pods that wait for a node. Active ones are tried next, by priority and then by age. One that did
// not fit is parked until something happens that may help it, and is then tried again no sooner than
// its back-off allows. Gated ones wait for their gates. Nothing is forgotten: parked pods are tried
// again every few minutes even when no event told of a change.
import type { Cancel, Clock } from "../lib/clock.ts";
import type { WakeEvent } from "./filter.ts";
import { Heap } from "./heap.ts";
import type { PodInfo } from "./pod-info.ts";

const backoffMsMin = 1000;
const backoffMsMax = 10_000;
/** A parked pod is tried again after this long, whatever happens. */
const parkedMsMax = 5 * 60_000;

type State = "active" | "backoff" | "parked" | "gated" | "gone";

export interface QueuedPod {
  info: PodInfo;
  order: number;
  attempts: number;
  state: State;
  /** Monotonic time before which it is not tried again. */
  notBefore: number;
  wakes: ReadonlySet<WakeEvent>;
}

export const isGated = ({ pod }: PodInfo) => (pod.spec?.schedulingGates?.length ?? 0) > 0;

const nothing: ReadonlySet<WakeEvent> = new Set();

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #pods = new Map<string, QueuedPod>();
  readonly #parked = new Set<QueuedPod>();
  readonly #active = new Heap<QueuedPod>(
    (a, b) =>
      a.info.priority > b.info.priority ||
      (a.info.priority === b.info.priority && a.order < b.order),
  );
  readonly #backoff = new Heap<QueuedPod>((a, b) => a.notBefore < b.notBefore);
  #order = 0;
  #timer: { at: number; cancel: Cancel } | undefined;

  /** `onReady` is called when a pod becomes active by the passing of time. */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** Pods in the queue, whatever their state. */
  get size() {
    return this.#pods.size;
  }

  /** Learns of a pod, new or changed. A changed one that was parked is tried again. */
  add(info: PodInfo) {
    const known = this.#pods.get(info.uid);
    if (!known) {
      const order = this.#order++;
      const pod = {
        info,
        order,
        attempts: 0,
        notBefore: 0,
        wakes: nothing,
        state: "gone" as State,
      };
      this.#pods.set(info.uid, pod);
      if (isGated(info)) pod.state = "gated";
      else this.#activate(pod);
      return;
    }
    const changed = schedulingChanged(known.info, info);
    known.info = info;
    if (known.state === "gated" && !isGated(info)) this.#activate(known);
    else if (known.state === "parked" && changed) this.#ready(known);
  }

  remove(uid: string) {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    pod.state = "gone";
    this.#pods.delete(uid);
    this.#parked.delete(pod);
  }

  /** Takes the next pod to try; it must come back by `park` or `retry`, or leave by `remove`. */
  pop(): QueuedPod | undefined {
    for (;;) {
      const pod = this.#active.pop();
      if (!pod) return undefined;
      if (pod.state !== "active") continue;
      pod.attempts += 1;
      pod.state = "parked";
      return pod;
    }
  }

  /** It did not fit: waits for one of `wakes`. */
  park(pod: QueuedPod, wakes: ReadonlySet<WakeEvent>) {
    if (this.#pods.get(pod.info.uid) !== pod) return;
    pod.wakes = wakes;
    pod.state = "parked";
    pod.notBefore = this.#clock.monotonic() + this.#delayMs(pod);
    this.#parked.add(pod);
    this.#schedule(this.#clock.monotonic() + parkedMsMax);
  }

  /** Something went wrong: tries again after the back-off. */
  retry(pod: QueuedPod) {
    if (this.#pods.get(pod.info.uid) !== pod) return;
    pod.notBefore = this.#clock.monotonic() + this.#delayMs(pod);
    this.#ready(pod);
  }

  wake(event: WakeEvent) {
    for (const pod of this.#parked) if (pod.wakes.has(event)) this.#ready(pod);
  }

  stop() {
    this.#timer?.cancel();
  }

  #delayMs(pod: QueuedPod) {
    return Math.min(backoffMsMin * 2 ** (pod.attempts - 1), backoffMsMax);
  }

  #ready(pod: QueuedPod) {
    this.#parked.delete(pod);
    if (pod.notBefore <= this.#clock.monotonic()) return this.#activate(pod);
    pod.state = "backoff";
    this.#backoff.push(pod);
    this.#schedule(pod.notBefore);
  }

  #activate(pod: QueuedPod) {
    pod.state = "active";
    this.#active.push(pod);
  }

  #schedule(at: number) {
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(at - this.#clock.monotonic(), () => this.#tick());
    this.#timer = { at, cancel };
  }

  #tick() {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    while ((this.#backoff.peek()?.notBefore ?? Number.POSITIVE_INFINITY) <= now) {
      const pod = this.#backoff.pop()!;
      if (pod.state === "backoff") this.#activate(pod);
    }
    for (const pod of this.#parked) {
      if (now - pod.notBefore >= parkedMsMax - backoffMsMax) this.#ready(pod);
    }
    const next = this.#backoff.peek();
    if (next) this.#schedule(next.notBefore);
    else if (this.#parked.size > 0) this.#schedule(now + parkedMsMax);
    this.#onReady();
  }
}

const decisive = ({ pod: { metadata, spec, status } }: PodInfo) =>
  JSON.stringify([metadata.labels, spec, status?.["resourceClaimStatuses"]]);

/** Of its status only the claims that were made for it count; the rest, our own condition among it, does not. */
function schedulingChanged(one: PodInfo, other: PodInfo): boolean {
  const { generation } = one.pod.metadata;
  if (generation !== undefined && generation !== other.pod.metadata.generation) return true;
  return decisive(one) !== decisive(other);
}

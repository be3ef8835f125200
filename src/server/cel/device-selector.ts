// Selectors of devices: expressions over one `device` of a ResourceSlice, as DeviceClasses and ResourceClaims
// have them (resource.k8s.io/v1, CELDeviceSelector).
import { parseQuantity } from "../../lib/quantity.ts";
import type { CelScope, Compiled } from "./compile.ts";
import { loadCel } from "./load.ts";
import { Quantity } from "./libraries/quantity.ts";
import { Semver } from "./libraries/semver.ts";
import type { CelType } from "./types.ts";

/** A device as expressions see it: `spec.devices[]` of a slice with the slice's driver. */
export interface SelectableDevice {
  driver: string;
  attributes?: Record<string, any>;
  capacity?: Record<string, { value: string }>;
  allowMultipleAllocations?: boolean;
}

type Domains = Map<string, Map<string, unknown>>;

/**
 * Domains that a device says nothing of are empty, so that `has(device.attributes["x"].y)` is no error. The
 * evaluator knows a map by its constructor, so it stays one.
 */
function makeDomains(): Domains {
  const domains: Domains = new Map();
  const get = domains.get.bind(domains);
  domains.get = (domain) => get(domain) ?? new Map<string, unknown>();
  domains.has = () => true;
  return domains;
}

class Device {
  readonly driver: string;
  readonly attributes: Domains;
  readonly capacity: Domains;
  readonly allowMultipleAllocations: boolean;

  constructor({ driver, attributes, capacity, allowMultipleAllocations }: SelectableDevice) {
    this.driver = driver;
    this.attributes = byDomain(driver, attributes, attributeValue);
    this.capacity = byDomain(driver, capacity, ({ value }) => new Quantity(parseQuantity(value)));
    this.allowMultipleAllocations = allowMultipleAllocations ?? false;
  }
}

function attributeValue(attribute: any): unknown {
  const [type, value] = Object.entries<any>(attribute)[0] ?? [];
  switch (type) {
    case "int":
      return BigInt(value);
    case "version":
      return new Semver(value);
    case "ints":
      return value.map(BigInt);
    case "versions":
      return value.map((one: string) => new Semver(one));
    default:
      return value;
  }
}

/** A name without a domain is of the driver's. */
function byDomain<T>(driver: string, from: Record<string, T> = {}, read: (value: T) => unknown) {
  const domains = makeDomains();
  for (const [name, value] of Object.entries(from)) {
    const slash = name.indexOf("/");
    const domain = slash < 0 ? driver : name.slice(0, slash);
    const known = domains.get(domain)!;
    domains.set(domain, known.set(name.slice(slash + 1), read(value)));
  }
  return domains;
}

type Environment = Parameters<Parameters<CelScope["declareOwn"]>[1]>[0];

function deviceType(environment: Environment): CelType {
  const name = "kubernetes.DRADevice";
  const fields = {
    driver: "string",
    attributes: "map<string, map<string, dyn>>",
    capacity: "map<string, map<string, kubernetes.Quantity>>",
    allowMultipleAllocations: "bool",
  };
  environment.registerType(name, { ctor: Device, fields } as never);
  return { name, value: (device) => new Device(device) };
}

/** Compiles in one scope, each expression once. */
export class DeviceSelectors {
  readonly #scope: CelScope;

  constructor(cel: typeof import("./compile.ts")) {
    const noSchema = (name: string) => {
      throw new Error(`no schema of ${name} is needed here`);
    };
    this.#scope = new cel.CelScope(noSchema).declareOwn("device", deviceType);
  }

  compile(expression: string): Compiled {
    return this.#scope.compile(expression, ["bool"]);
  }

  /** Throws an Error when the expression is wrong, or fails for the device. */
  matcher(expression: string): (device: SelectableDevice) => boolean {
    const compiled = this.compile(expression);
    if ("error" in compiled) throw new Error(`CEL compile error: ${compiled.error}`);
    const { program } = compiled;
    return (device) => program.evaluate({ device }) === true;
  }
}

/** Resolves once CEL is there, with `matcher`. */
export async function loadDeviceSelector() {
  const selectors = new DeviceSelectors(await loadCel());
  return (expression: string) => selectors.matcher(expression);
}

// Where a volume's files come from: the sources that pods and PersistentVolumes have alike. What differs between
// both is how a secret is named, which is a parameter.
import { invalidValue, required, supported } from "../field-checks.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import { absolutePath, withoutBacksteps } from "../path-rules.ts";
import {
  all,
  between,
  fields,
  first,
  given,
  holds,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  toldAs,
  tooLong,
} from "../rules.ts";
import type { Rule } from "../rules.ts";

/** Required strings. */
export const texts = (...names: string[]): Record<string, Rule> =>
  Object.fromEntries(names.map((name) => [name, needed()]));

export const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

export const hostPath: Rule = (source, at) =>
  source.path
    ? fields({ path: withoutBacksteps, type: oneOf(...hostPathTypes) })(source, at)
    : [required(`${at}.path`)];

const initiatorForms: Record<string, RegExp> = {
  iqn: /^iqn\.\d{4}-\d{2}\.([A-Za-z0-9-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};
const initiator = (prefixWhy: string): Rule =>
  first(
    holds((name: string) => name.slice(0, 3) in initiatorForms, prefixWhy),
    holds((name: string) => initiatorForms[name.slice(0, 3)]!.test(name), "must be valid format"),
  );

const longestPortal = 64;

/** `initiatorWhy`: what is wrong with the start of a name, which both places of volumes tell differently. */
export const iscsi = (initiatorWhy: string) =>
  all(
    fields({
      targetPortal: needed(),
      iqn: needed(initiator(initiatorWhy)),
      lun: between(0, 255),
      initiatorName: toldAs("initiatorname", initiator(initiatorWhy)),
    }),
    ({ chapAuthDiscovery, chapAuthSession, secretRef }, at) =>
      (chapAuthDiscovery || chapAuthSession) && !secretRef ? [required(`${at}.secretRef`)] : none,
  );

export const isLongPortal = ({ initiatorName, targetPortal = "" }: any, name: string) =>
  initiatorName !== undefined && `${name}:${targetPortal}`.length > longestPortal;
export const longPortalWhy = `Total length of <volume name>:<iscsi.targetPortal> must be under ${longestPortal} characters if iscsi.initiatorName is specified.`;

const fibreChannel: Rule = ({ targetWWNs = [], wwids = [], lun }, at) => {
  const names = `${at}.targetWWNs`;
  const either = "must specify either targetWWNs or wwids, but not both";
  if (targetWWNs.length === 0) return wwids.length === 0 ? [required(names, either)] : none;
  const both = "targetWWNs and wwids can not be specified simultaneously";
  return [
    ...(wwids.length > 0 ? [invalidValue(names, targetWWNs, both)] : none),
    ...(lun === undefined
      ? [required(`${at}.lun`, "lun is required if targetWWNs is specified")]
      : between(0, 255)(lun, `${at}.lun`)),
  ];
};

const flocker: Rule = ({ datasetName = "", datasetUUID = "" }, at) => {
  const one = "one of datasetName and datasetUUID is required";
  if (!datasetName && !datasetUUID) return [required(at, one)];
  const both = "datasetName and datasetUUID can not be specified simultaneously";
  return [
    ...(datasetName && datasetUUID ? [invalidValue(at, "resource", both)] : none),
    ...holds((name: string) => !name.includes("/"), "must not contain '/'")(
      datasetName,
      `${at}.datasetName`,
    ),
  ];
};

const pairsWhy = "must be a host:port pair or multiple pairs separated by commas";
const tenantMax = 64;
const isPair = (text: string) => /^([^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(text);

const quobyte: Rule = ({ registry = "", tenant = "", volume }, at) => {
  const pairs = registry.split(",") as string[];
  const wrong =
    registry === ""
      ? [required(`${at}.registry`, pairsWhy)]
      : tenant.length > tenantMax
        ? [
            required(
              `${at}.tenant`,
              `must be a UUID and may not exceed a length of ${tenantMax} characters`,
            ),
          ]
        : pairs
            .filter((pair) => !isPair(pair))
            .map(() => invalidValue(`${at}.registry`, registry, pairsWhy));
  return [...wrong, ...(volume ? none : [required(`${at}.volume`)])];
};

const managedForm =
  "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
const blobForm = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";

const azureDisk = all(
  fields({
    ...texts("diskName", "diskURI"),
    cachingMode: oneOf("None", "ReadOnly", "ReadWrite"),
    kind: oneOf("Dedicated", "Managed", "Shared"),
  }),
  // Kind has a default.
  ({ kind = "Shared", diskURI = "" }, at) => {
    const [start, form] =
      kind === "Managed" ? ["/subscriptions/", managedForm] : ["https://", blobForm];
    return diskURI.startsWith(start) ? none : supported(`${at}.diskURI`, diskURI, [form!]);
  },
);

const partition = holds(
  (number) => number >= 0 && number <= 255,
  "must be a number between 0 and 255, both inclusive",
);

const reserved = /\.(kubernetes|k8s)\.io$/;
const options: Rule = (map, at) =>
  Object.keys(map)
    .filter((key) => reserved.test(`.${key.toLowerCase().split("/")[0]}`))
    .map((key) =>
      invalidValue(`${at}[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"),
    );

const driverCharsMax = 63;

/** The name of a CSI driver. */
export const driverName = needed((name: string, at) => [
  ...(name.length > driverCharsMax ? [tooLong(at, driverCharsMax)] : none),
  ...dnsSubdomain(name.toLowerCase()).map((why) => invalidValue(at, name, why)),
]);

/** Sources by name; `secret` judges references to secrets. */
export const commonSources = (secret: Rule): Record<string, Rule> => ({
  hostPath,
  gcePersistentDisk: toldAs("persistentDisk", fields({ pdName: needed(), partition })),
  awsElasticBlockStore: fields({ volumeID: needed(), partition }),
  nfs: fields({ server: needed(), path: all(needed(), orEmpty(absolutePath)) }),
  flocker,
  rbd: fields({ monitors: needed(), image: needed() }),
  cinder: fields({ volumeID: needed(), secretRef: secret }),
  cephfs: fields({ monitors: needed() }),
  quobyte,
  fc: fibreChannel,
  flexVolume: fields({ driver: needed(), options }),
  vsphereVolume: fields(texts("volumePath")),
  photonPersistentDisk: fields(texts("pdID")),
  portworxVolume: fields(texts("volumeID")),
  azureDisk,
  scaleIO: fields(texts("gateway", "system", "volumeName")),
  storageos: fields({
    volumeName: needed(named(dnsLabel)),
    volumeNamespace: given(named(dnsLabel)),
    secretRef: secret,
  }),
});

export const manyWhy = "may not specify more than 1 volume type";

// An upload to a claim of one's own, against a whole API server; the test is the node.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { namespace, startMachines, until } from "../../../test/support/machines.ts";
import { resource } from "../../client/client.ts";
import { claims, dataVolumes, pods } from "../kinds/resources.ts";

const { client, close } = await startMachines();
after(close);

const target = "cdi.kubevirt.io/storage.upload.target";
const claim = { ...claims, namespace, name: "disk" };
const pod = { ...pods, namespace, name: "cdi-upload-disk" };
const said = async () => {
  const { annotations = {} } = (await client.get(claim)).metadata;
  const of = (what: string) => annotations[`cdi.kubevirt.io/storage.pod.${what}`];
  return `${of("phase")} ${of("ready")}`;
};
const says = (words: string) => until(async () => assert.equal(await said(), words));
const podIs = (status: object) =>
  client.patch({ ...pod, subresource: "status" }, "merge", { status });
const exited = (exitCode: number, message: string) => [
  {
    ...{ name: "disk", image: "x", imageID: "", ready: false, restartCount: 0 },
    state: { terminated: { exitCode, message } },
  },
];

const make = (name: string, annotations?: Record<string, string>) =>
  client.create(
    { ...claims, namespace },
    {
      ...{ apiVersion: "v1", kind: "PersistentVolumeClaim" },
      metadata: { name, namespace, ...(annotations && { annotations }) },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "4Mi" } } },
    },
  );

test("a claim that is made for an upload gets a pod that waits, until a disk has come, and no other does", async () => {
  await make("plain");
  await make("disk", { [target]: "" });
  const first = await until(() => client.get(pod));
  assert.equal(first.spec.volumes[1].persistentVolumeClaim.claimName, "disk");
  await says("Pending false");
  await podIs({ phase: "Running", conditions: [{ type: "Ready", status: "True" }] });
  await says("Running true");
  await podIs({ phase: "Failed", containerStatuses: exited(3, "no disk") });
  await until(async () =>
    assert.notEqual((await client.get(pod)).metadata.uid, first.metadata.uid),
  );
  await until(async () => {
    const { items } = await client.list({ ...resource("v1", "events"), namespace });
    assert.ok(items.some((event: any) => event.message === "no disk"));
  });
  await podIs({ phase: "Succeeded" });
  await says("Succeeded false");
  await until(() => assert.rejects(client.get(pod), /not found/));
  const { items } = await client.list({ ...pods, namespace });
  assert.deepEqual(items, []);
});

test("an archive is refused before it is sent, and a disk is not", async () => {
  const type = "cdi.kubevirt.io/storage.contentType";
  await make("packed", { [target]: "", [type]: "archive" });
  await make("image", { [target]: "", [type]: "kubevirt" });
  const at = { group: "upload.cdi.kubevirt.io", version: "v1beta1", namespace };
  const ask = (pvcName: string) =>
    client.create(
      { ...at, resource: "uploadtokenrequests" },
      {
        ...{ apiVersion: "upload.cdi.kubevirt.io/v1beta1", kind: "UploadTokenRequest" },
        ...{ metadata: { name: pvcName }, spec: { pvcName } },
      },
    );
  assert.ok((await until(() => ask("image")))["status"].token);
  await assert.rejects(ask("packed"), /archives are not unpacked here/);
});

test("the claim of a DataVolume for an upload says so, for who tries again", async () => {
  await client.create(
    { ...dataVolumes, namespace },
    {
      ...{ apiVersion: "cdi.kubevirt.io/v1beta1", kind: "DataVolume" },
      metadata: { name: "again" },
      spec: {
        source: { upload: {} },
        pvc: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "4Mi" } } },
      },
    },
  );
  const made = await until(() => client.get({ ...claims, namespace, name: "again" }));
  assert.equal(made.metadata.annotations?.[target], "");
});

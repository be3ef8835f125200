// What kubectl explain says of the fields that every object has.
import type { Schema } from "../../kinds/schema.ts";

const texts: Record<string, string> = {
  annotations: "Annotations are free text about the object, by key, that nothing selects by.",
  creationTimestamp:
    "CreationTimestamp is a timestamp that the server sets when it makes the object.",
  deletionGracePeriodSeconds: "DeletionGracePeriodSeconds is the time a deleted object has to end.",
  deletionTimestamp: "DeletionTimestamp is when a deleted object will be gone; set by the server.",
  finalizers: "Finalizers name what must be done before a deleted object goes.",
  generateName: "GenerateName begins the name that the server makes up when none is given.",
  generation: "Generation counts the changes of what is desired.",
  labels: "Labels are short texts by key that selectors choose objects by.",
  managedFields: "ManagedFields tells who set which field, for server-side apply.",
  name: "Name tells the object from others of its kind in its namespace, and never changes.",
  namespace: "Namespace is where the object lives; empty for kinds of the whole cluster.",
  ownerReferences: "OwnerReferences name the objects that this one goes with.",
  resourceVersion: "ResourceVersion changes with every write of the object; compare it, no more.",
  selfLink: "SelfLink is no longer set.",
  uid: "UID is never given to another object; set by the server.",
};

/** The definition of ObjectMeta with a description of every field. Pure. */
export function describeObjectMeta(schema: Schema): Schema {
  const properties = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const description = texts[name];
    return [name, description ? { ...field, description } : field];
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

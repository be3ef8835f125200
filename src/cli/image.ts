import { Command } from "commander";
import { examples } from "./examples.ts";
import { formatBytes, formatTable } from "./table.ts";
import { dataDirOption } from "./up.ts";

export interface StoredImage {
  id: string;
  tags: string[];
  sizeBytes: number;
}

export interface ImageActions {
  /** Resolves with the names that were imported. */
  import(directory: string, file: string, name?: string): Promise<string[]>;
  list(directory: string): Promise<StoredImage[]>;
  /** With `force`, one that pods use as well. */
  remove(directory: string, reference: string, options: { force: boolean }): Promise<void>;
}

const rows = (images: StoredImage[]) =>
  images
    .flatMap((image) =>
      (image.tags.length > 0 ? image.tags : ["<none>"]).map((tag) => [
        tag,
        image.id.replace(/^sha256:/, "").slice(0, 12),
        formatBytes(image.sizeBytes),
      ]),
    )
    .sort((a, b) => (a[0]! < b[0]! ? -1 : 1));

/** `kerb image import | list | remove`. */
export function imageCommand(directory: string, actions: ImageActions) {
  const image = new Command("image")
    .summary("manage this machine's images, for sites without a registry")
    .description("Images that are stored on this machine; no registry is needed.");
  image.addHelpText(
    "after",
    examples({
      "docker save app:1 -o app.tar && kerb image import app.tar": "",
      "kerb image import filter.wasm --name filter:1": "a WebAssembly module",
      "kerb image remove filter:1": "",
    }),
  );
  image
    .command("import <file>")
    .summary("import an archive or a module")
    .description(
      "Imports an OCI or docker archive (a .tar), as `docker save` and others write them, or a WebAssembly module (a .wasm) by --name.",
    )
    .addOption(dataDirOption(directory))
    .option("--name <ref>", "name for the image, in place of the archive's")
    .action(async (file: string, options: { dataDir: string; name?: string }) => {
      for (const name of await actions.import(options.dataDir, file, options.name)) {
        console.log(`imported ${name}`);
      }
    });
  image
    .command("list")
    .summary("list images")
    .description("Lists the images on this machine.")
    .addOption(dataDirOption(directory))
    .action(async ({ dataDir }: { dataDir: string }) => {
      console.log(formatTable(["IMAGE", "ID", "SIZE"], rows(await actions.list(dataDir))));
    });
  image
    .command("remove <ref>")
    .summary("remove an image")
    .description("Removes an image from this machine, unless a pod uses it.")
    .addOption(dataDirOption(directory))
    .option("--force", "remove it although pods use it; they run on", false)
    .action(async (reference: string, { dataDir, force }: { dataDir: string; force: boolean }) => {
      await actions.remove(dataDir, reference, { force });
      console.log(`removed ${reference}`);
    });
  return image;
}

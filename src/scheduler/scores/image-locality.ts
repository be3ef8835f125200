// Prefers nodes that hold the pod's images already. An image that is everywhere counts fully, one
// that a single node has counts little, so that pods of one image do not pile up on that node.
import { scoreMax, type Score } from "../score.ts";
import type { PodInfo } from "../pod-info.ts";

const sizeMinBytes = 23 * 1024 * 1024;
const sizeMaxBytesPerContainer = 1000 * 1024 * 1024;

/** A name without tag means `:latest`. */
const withTag = (image: string) =>
  image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;

const imagesOf = ({ pod }: PodInfo): string[] =>
  [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
    .map((container: any) => container.image)
    .filter(Boolean)
    .map(withTag);

export const imageLocality: Score = {
  name: "ImageLocality",
  weight: 1,
  prepare(pod, snapshot) {
    if (snapshot.imageNodes.size === 0) return undefined;
    const images = imagesOf(pod).filter((image) => snapshot.imageNodes.has(image));
    if (images.length === 0) return undefined;
    const containers =
      (pod.pod.spec?.initContainers?.length ?? 0) + (pod.pod.spec?.containers?.length ?? 0);
    const most = sizeMaxBytesPerContainer * containers;
    const shares = images.map((image) => snapshot.imageNodes.get(image)! / snapshot.nodes.length);
    return (node) => {
      let sum = 0;
      for (let i = 0; i < images.length; i++) {
        sum += Math.trunc((node.images.get(images[i]!) ?? 0) * shares[i]!);
      }
      const bounded = Math.min(Math.max(sum, sizeMinBytes), most);
      return Math.trunc((scoreMax * (bounded - sizeMinBytes)) / (most - sizeMinBytes));
    };
  },
};

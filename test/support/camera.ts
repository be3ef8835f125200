// A camera on this machine's network until it is killed: `camera.ts ADDRESS UUID`.
import { startFakeCamera } from "../../src/devices/onvif/fake-camera.ts";
import { Scope } from "../../src/lib/scope.ts";

const [, , address, uuid] = process.argv;
const scopes = ["onvif://www.onvif.org/name/Gate"];
const { url } = await startFakeCamera({
  uuid: uuid!,
  address: address!,
  ip: address!,
  scopes,
  scope: new Scope(),
});
console.log(url);

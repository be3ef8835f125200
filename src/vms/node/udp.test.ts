import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { datagramBytesMax, datagramsOver, framed, Unframed } from "../datagrams.ts";
import { openUdp } from "./udp.ts";

test("datagrams come out whole, however their bytes arrive", () => {
  const bytes = Buffer.concat(["one", "", "three"].map((text) => framed(Buffer.from(text))));
  const unframed = new Unframed();
  const out = [...bytes].flatMap((byte) => unframed.take(Buffer.from([byte])));
  assert.deepEqual(out.map(String), ["one", "", "three"]);
  assert.deepEqual(new Unframed().take(bytes).map(String), ["one", "", "three"]);
});

test("a port hears each datagram by itself, and its answers come back", async () => {
  const echo = createSocket("udp4");
  const heard: number[] = [];
  echo.on("message", (data, { port }) => {
    heard.push(data.length);
    echo.send(data, port);
  });
  echo.bind(0, "127.0.0.1");
  await once(echo, "listening");
  const stream = datagramsOver(await openUdp("127.0.0.1", echo.address().port));
  const lengths = [1, 9000, datagramBytesMax];
  const answers: number[] = [];
  const all = new Promise<void>((resolve) => {
    stream.on("data", (data: Buffer) => {
      answers.push(data.length);
      if (answers.length === lengths.length) resolve();
    });
  });
  stream.write(Buffer.alloc(datagramBytesMax + 1));
  for (const length of lengths) stream.write(Buffer.alloc(length));
  await all;
  assert.deepEqual(heard, lengths);
  assert.deepEqual(answers, lengths);
  stream.destroy();
  echo.close();
});

test("a port that nobody listens at is no end of it", async () => {
  const place = createSocket("udp4");
  place.bind(0, "127.0.0.1");
  await once(place, "listening");
  const { port } = place.address();
  place.close();
  const stream = datagramsOver(await openUdp("127.0.0.1", port));
  stream.write(Buffer.from("lost"));
  const echo = createSocket("udp4");
  echo.bind(port, "127.0.0.1");
  await once(echo, "listening");
  stream.write(Buffer.from("heard"));
  const [data] = await once(echo, "message");
  assert.equal(String(data), "heard");
  stream.destroy();
  echo.close();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kind } from "../kinds/kind.ts";
import { isStatus } from "../lib/status-error.ts";
import { attributesOf, requestInfo } from "./request-info.ts";
import { testKind } from "./test-kinds.ts";

const served: Record<string, Kind> = {
  "/v1/pods": testKind("", "v1", "Pod", { subresources: ["status", "log", "exec", "proxy"] }),
  "/v1/namespaces": testKind("", "v1", "Namespace", {
    namespaced: false,
    subresources: ["status", "finalize"],
  }),
  "apps/v1/deployments": testKind("apps", "v1", "Deployment", { subresources: ["scale"] }),
  "metrics.k8s.io/v1/tokens": testKind("metrics.k8s.io", "v1", "Token", { verbs: ["create"] }),
};

const resolve = (method: string, url: string) => {
  const [path, search = ""] = url.split("?");
  const request = { method, path: path!, query: new URLSearchParams(search) };
  const info = requestInfo(
    request,
    (group, version, plural) => served[`${group}/${version}/${plural}`],
  );
  return { info, attributes: attributesOf(request, info) };
};

const cases: [method: string, url: string, asked: string][] = [
  ["GET", "/api/v1/pods", "list pods"],
  ["GET", "/api/v1/pods?watch=true", "watch pods"],
  ["GET", "/api/v1/pods?watch=0", "list pods"],
  ["GET", "/api/v1/namespaces/a/pods/b", "get pods a/b"],
  ["HEAD", "/api/v1/namespaces/a/pods/b", "get pods a/b"],
  ["GET", "/api/v1/namespaces/a/pods/b/log", "get pods/log a/b"],
  ["POST", "/api/v1/namespaces/a/pods/b/exec", "create pods/exec a/b"],
  ["GET", "/api/v1/namespaces/a/pods/b/proxy/x/y", "get pods/proxy a/b"],
  ["POST", "/api/v1/namespaces/a/pods", "create pods a/"],
  ["PUT", "/apis/apps/v1/namespaces/a/deployments/b/scale", "update deployments/scale a/b"],
  ["PATCH", "/apis/apps/v1/namespaces/a/deployments/b", "patch deployments a/b"],
  ["DELETE", "/apis/apps/v1/namespaces/a/deployments/b", "delete deployments a/b"],
  ["DELETE", "/apis/apps/v1/namespaces/a/deployments", "deletecollection deployments a/"],
  ["GET", "/api/v1/namespaces", "list namespaces"],
  ["GET", "/api/v1/namespaces/a", "get namespaces a/a"],
  ["PUT", "/api/v1/namespaces/a/finalize", "update namespaces/finalize a/a"],
  ["GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db", "list pods a/b"],
  ["GET", "/healthz", "get /healthz"],
  ["GET", "/apis/apps/v1", "get /apis/apps/v1"],
];

test("a path and a method tell what is asked of which resource", () => {
  for (const [method, url, asked] of cases) {
    const { verb, resource, subresource, namespace, name, path } = resolve(method, url).attributes;
    const what = subresource ? `${resource}/${subresource}` : resource;
    const where = namespace || name ? ` ${namespace}/${name}` : "";
    assert.equal(resource ? `${verb} ${what}${where}` : `${verb} ${path}`, asked, url);
  }
});

test("subresources that take over the connection are asked as connect", () => {
  assert.equal(resolve("GET", "/api/v1/namespaces/a/pods/b/exec").info?.verb, "connect");
  const proxied = resolve("GET", "/api/v1/namespaces/a/pods/b/proxy/x/y").info;
  assert.equal(proxied?.rest, "x/y");
});

const refusals: [method: string, url: string, reason: "NotFound" | "MethodNotAllowed"][] = [
  ["GET", "/api/v1/gadgets", "NotFound"],
  ["POST", "/api/v1/watch/pods", "MethodNotAllowed"],
  ["GET", "/api/v1/namespaces/a/namespaces", "NotFound"],
  ["GET", "/api/v1/namespaces/a/pods/b/gadget", "NotFound"],
  ["GET", "/api/v1/namespaces/a/pods/b/log/x", "NotFound"],
  ["POST", "/api/v1/pods", "MethodNotAllowed"],
  ["DELETE", "/api/v1/pods", "MethodNotAllowed"],
  ["POST", "/api/v1/namespaces/a/pods/b", "MethodNotAllowed"],
  ["OPTIONS", "/api/v1/pods", "MethodNotAllowed"],
  ["GET", "/apis/metrics.k8s.io/v1/namespaces/a/tokens", "MethodNotAllowed"],
];

test("what is not served is refused", () => {
  for (const [method, url, reason] of refusals) {
    assert.throws(
      () => resolve(method, url),
      (error) => isStatus(error, reason),
      `${method} ${url}`,
    );
  }
});

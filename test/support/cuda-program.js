// Computes on the first card by the driver's own library, with no toolkit: a kernel in PTX, which the driver
// compiles here. Says what it saw, holds the card until its input ends, and says what came of it.
import { dlopen, getRawPointer } from "node:ffi";

const int = "int32";
const signatures = {
  cuInit: [int],
  cuDeviceGetCount: ["buffer"],
  cuDeviceGet: ["buffer", int],
  cuDeviceGetName: ["buffer", int, int],
  cuDeviceTotalMem_v2: ["buffer", int],
  cuDevicePrimaryCtxRetain: ["buffer", int],
  cuCtxSetCurrent: ["uint64"],
  cuModuleLoadData: ["buffer", "buffer"],
  cuModuleGetFunction: ["buffer", "uint64", "buffer"],
  cuMemAlloc_v2: ["buffer", "uint64"],
  cuMemcpyHtoD_v2: ["uint64", "buffer", "uint64"],
  cuLaunchKernel: ["uint64", ...Array(7).fill("uint32"), "uint64", "buffer", "uint64"],
  cuMemcpyDtoH_v2: ["buffer", "uint64", "uint64"],
};
const declared = Object.entries(signatures).map(([name, types]) => [
  name,
  { arguments: types, return: int },
]);
const { functions } = dlopen("libcuda.so.1", Object.fromEntries(declared));

function call(name, ...args) {
  const code = functions[name](...args);
  if (code !== 0) throw new Error(`${name} failed: ${code}`);
}

/** What a call writes into its first argument. */
function made(name, ...args) {
  const out = Buffer.alloc(8);
  call(name, out, ...args);
  return out.readBigUInt64LE();
}

const kernel = `.version 7.0
.target sm_75
.address_size 64
.visible .entry increment(.param .u64 numbers) {
  .reg .b32 %r<3>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [numbers];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r2, [%rd3];
  add.s32 %r2, %r2, 1;
  st.global.u32 [%rd3], %r2;
  ret;
}
`;

const text = (said) => Buffer.from(`${said}\0`);

function compute(numbers) {
  const module = made("cuModuleLoadData", text(kernel));
  const increment = made("cuModuleGetFunction", module, text("increment"));
  const bytes = Buffer.from(Uint32Array.from(numbers).buffer);
  const memory = made("cuMemAlloc_v2", BigInt(bytes.length));
  call("cuMemcpyHtoD_v2", memory, bytes, BigInt(bytes.length));
  const argument = Buffer.alloc(8);
  argument.writeBigUInt64LE(memory);
  const list = Buffer.alloc(8);
  list.writeBigUInt64LE(getRawPointer(argument));
  call("cuLaunchKernel", increment, 1, 1, 1, numbers.length, 1, 1, 0, 0n, list, 0n);
  call("cuMemcpyDtoH_v2", bytes, memory, BigInt(bytes.length));
  return numbers.map((_, at) => bytes.readUInt32LE(at * 4));
}

call("cuInit", 0);
const count = Number(made("cuDeviceGetCount") & 0xffffffffn);
const device = Number(made("cuDeviceGet", 0) & 0xffffffffn);
const name = Buffer.alloc(256);
call("cuDeviceGetName", name, 256, device);
const memoryBytes = Number(made("cuDeviceTotalMem_v2", device));
call("cuCtxSetCurrent", made("cuDevicePrimaryCtxRetain", device));
const said = { count, name: name.toString("utf8", 0, name.indexOf(0)), memoryBytes };
console.log(JSON.stringify({ ...said, computed: compute([1, 2, 3, 41]) }));
setInterval(() => {
  if (compute([7])[0] !== 8) process.exit(1);
}, 1000);

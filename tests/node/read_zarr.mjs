// Reads arrays of a Zarr store over HTTP with zarrita and prints them as JSON: node read_zarr.mjs URL
import * as zarr from "zarrita";

const store = new zarr.FetchStore(process.argv[2]);
const root = await zarr.open.v3(store, { kind: "group" });
const found = { attributes: root.attrs };
for (const name of ["rain_rate", "probability", "model", "x"]) {
  const array = await zarr.open.v3(root.resolve(name), { kind: "array" });
  const { data, shape } = await zarr.get(array);
  found[name] = { shape, values: Array.from(data, (value) => (typeof value === "bigint" ? Number(value) : value)) };
}
console.log(JSON.stringify(found));

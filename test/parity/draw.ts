/** The reference's numbers, under the name that parity tests have for them. */
export { draw } from "../../src/ml/engine/contract/draw.ts";

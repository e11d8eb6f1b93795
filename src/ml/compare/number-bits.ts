/**
 * Numbers by their bits: what a stored element means, and how many representable numbers lie between two of them.
 *
 * Floats of one type are in the order of their bits once negative ones are mirrored (Dawson, "Comparing Floating Point
 * Numbers", 2012), so their distance in units in the last place is a difference of integers. Both zeros are one place.
 */
import type { SafetensorsDType } from "../checkpoint/safetensors.ts";

/** An element as its bits. Of F32 and I32 signed 32-bit, of F64 and I64 signed 64-bit, else unsigned. */
export type Bits = number | bigint;

export type FloatDType = "F64" | "F32" | "F16" | "BF16";

export function isFloat(dtype: SafetensorsDType): dtype is FloatDType {
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/** Gives the value that bits stand for; of I64 a bigint. */
export function createBitsReader(dtype: SafetensorsDType): (bits: Bits) => number | bigint {
  const view = new DataView(new ArrayBuffer(8));
  switch (dtype) {
    case "F64":
      return (bits) => {
        view.setBigInt64(0, bits as bigint);
        return view.getFloat64(0);
      };
    case "F32":
    case "BF16": {
      const shift = dtype === "BF16" ? 16 : 0;
      return (bits) => {
        view.setInt32(0, (bits as number) << shift);
        return view.getFloat32(0);
      };
    }
    case "F16":
      return (bits) => halfOfBits(bits as number);
    case "I64":
    case "I32":
    case "U8":
    case "BOOL":
      return (bits) => bits;
  }
}

/**
 * Units in the last place between two numbers of a float type, neither of them NaN: 0 between the zeros, 1 between
 * neighbours (the largest finite number and infinity are), counted through zero where the signs differ. Of F64 it is
 * rounded beyond 2^53.
 */
export function ulpDistance(dtype: FloatDType, before: Bits, after: Bits): number {
  if (dtype === "F64") {
    const distance = place64(before as bigint) - place64(after as bigint);
    return Number(distance < 0n ? -distance : distance);
  }
  const place = dtype === "F32" ? place32 : place16;
  return Math.abs(place(before as number) - place(after as number));
}

const place64 = (bits: bigint): bigint => (bits >= 0n ? bits : -(bits & 0x7fff_ffff_ffff_ffffn));
const place32 = (bits: number): number => (bits >= 0 ? bits : -(bits & 0x7fff_ffff));
const place16 = (bits: number): number => (bits & 0x8000 ? -(bits & 0x7fff) : bits);

/** IEEE 754 binary16. */
function halfOfBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

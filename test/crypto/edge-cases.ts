import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import type { SignatureClaim } from "#base";
import { SeededRandom } from "#base";

/** A file of Wycheproof's tests of signatures. */
export interface SignatureSuite {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly { readonly tcId: number; readonly msg: string; readonly sig: string; readonly result: string }[];
  }[];
}

/** One of the cases of "Taming the many EdDSAs". */
export interface SpecCase {
  readonly message: string;
  readonly pub_key: string;
  readonly signature: string;
}

const { Point } = ed25519;
type Curve = InstanceType<typeof Point>;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const FIELD = 2n ** 255n - 19n;

/** A point of order eight: its multiples are all points of small order. */
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", true);

/** Encodings of all points of small order, canonical and not: y, y + p and the sign bit on and off, where they fit. */
export function smallOrderEncodings(): readonly Uint8Array[] {
  const ys = new Set<bigint>();
  for (let i = 0; i < 8; i++) {
    const y = fromLittleEndian(multiple(TORSION, i).toBytes()) & ~(1n << 255n);
    ys.add(y);
    if (y + FIELD < 1n << 255n) ys.add(y + FIELD);
  }
  return [...ys].flatMap((y) => [littleEndian(y), littleEndian(y | (1n << 255n))]);
}

/** Claims on which Ed25519 libraries disagree: small order, mixed order, non-canonical points and scalars. Always the same list. */
export function edgeCases(): readonly SignatureClaim[] {
  return [...smallOrderCases(), ...mixedOrderCases(), ...scalarCases()];
}

function smallOrderCases(): readonly SignatureClaim[] {
  const encodings = smallOrderEncodings();
  const scalars = [0n, 1n, ORDER].map(littleEndian);
  return encodings.flatMap((publicKey) =>
    encodings.flatMap((point) =>
      scalars.map((scalar) => ({ publicKey, message: Uint8Array.of(point[0] ?? 0), signature: Buffer.concat([point, scalar]) })),
    ),
  );
}

/** Signatures that hold when the cofactor is multiplied in, and without it one time in eight. */
function mixedOrderCases(): readonly SignatureClaim[] {
  const random = new SeededRandom(1, "mixed-order");
  const cases: SignatureClaim[] = [];
  for (let i = 0; i < 64; i++) {
    const secret = (fromLittleEndian(random.bytes(32)) % (ORDER - 1n)) + 1n;
    const nonce = (fromLittleEndian(random.bytes(32)) % (ORDER - 1n)) + 1n;
    const publicKey = Point.BASE.multiply(secret)
      .add(multiple(TORSION, i % 8))
      .toBytes();
    const point = Point.BASE.multiply(nonce)
      .add(multiple(TORSION, Math.floor(i / 8)))
      .toBytes();
    const message = random.bytes(i);
    const challenge = fromLittleEndian(createHash("sha512").update(point).update(publicKey).update(message).digest()) % ORDER;
    cases.push({ publicKey, message, signature: Buffer.concat([point, littleEndian((nonce + challenge * secret) % ORDER)]) });
  }
  return cases;
}

/** Valid signatures, and the same with S + L, S with high bits, a point of y ≥ p, and lengths that are off. */
function scalarCases(): readonly SignatureClaim[] {
  const random = new SeededRandom(2, "scalars");
  const cases: SignatureClaim[] = [];
  for (let i = 0; i < 16; i++) {
    const secretKey = random.bytes(32);
    const publicKey = ed25519.getPublicKey(secretKey);
    const message = random.bytes(i * 7);
    const signature = ed25519.sign(message, secretKey);
    const scalar = fromLittleEndian(signature.subarray(32));
    const withScalar = (value: bigint): Uint8Array => Buffer.concat([signature.subarray(0, 32), littleEndian(value)]);
    const altered = [
      signature,
      withScalar(scalar + ORDER),
      withScalar(scalar | (1n << 255n)),
      withScalar(scalar | (1n << 253n)),
      withScalar(ORDER - scalar),
    ];
    cases.push(...altered.map((value) => ({ publicKey, message, signature: value })));
    cases.push({ publicKey: littleEndian(FIELD + BigInt(i + 1)), message, signature });
    cases.push({ publicKey, message, signature: signature.subarray(1) }, { publicKey: publicKey.subarray(1), message, signature });
  }
  return cases;
}

function multiple(point: Curve, factor: number): Curve {
  return factor === 0 ? Point.ZERO : point.multiplyUnsafe(BigInt(factor));
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);
}

function littleEndian(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse();
}

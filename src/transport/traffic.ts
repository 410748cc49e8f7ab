import type { Telemetry } from "#base";

/** Adds up what passes the links and reports it once per heartbeat: a counter of the registry per frame would cost more than the frame. */
export class Traffic {
  readonly #telemetry: Telemetry;
  #framesIn = 0;
  #bytesIn = 0;
  #framesOut = 0;
  #bytesOut = 0;
  #queueFull = 0;
  #peerAway = 0;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  received(bytes: number): void {
    this.#framesIn += 1;
    this.#bytesIn += bytes;
  }

  sent(frames: number, bytes: number): void {
    this.#framesOut += frames;
    this.#bytesOut += bytes;
  }

  droppedForRoom(frames: number): void {
    this.#queueFull += frames;
  }

  droppedForAbsence(): void {
    this.#peerAway += 1;
  }

  report(): void {
    this.#report("quorumgate_transport_frames_total", this.#framesIn, { direction: "in" });
    this.#report("quorumgate_transport_frames_total", this.#framesOut, { direction: "out" });
    this.#report("quorumgate_transport_bytes_total", this.#bytesIn, { direction: "in" });
    this.#report("quorumgate_transport_bytes_total", this.#bytesOut, { direction: "out" });
    this.#report("quorumgate_transport_dropped_frames_total", this.#queueFull, { reason: "queue-full" });
    this.#report("quorumgate_transport_dropped_frames_total", this.#peerAway, { reason: "peer-away" });
    this.#framesIn = this.#bytesIn = this.#framesOut = this.#bytesOut = this.#queueFull = this.#peerAway = 0;
  }

  #report(metric: string, amount: number, labels: Readonly<Record<string, string>>): void {
    if (amount > 0) this.#telemetry.count(metric, amount, labels);
  }
}

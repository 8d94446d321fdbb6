// Drives follower.mjs and tls_proxy.mjs from a Node test: spawns them and speaks their lines of JSON.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const READY_MS_MAX = 60_000;
const ANSWER_MS_MAX = 30_000;
const EVENT_MS_MAX = 15_000;
const STOP_MS_MAX = 15_000;

/** Starts a script of this folder and waits for its ready line. `ca` is a PEM file to trust. */
export async function start(script, args = [], { ca } = {}) {
  const env = ca === undefined ? process.env : { ...process.env, NODE_EXTRA_CA_CERTS: ca };
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...args], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const driven = new Driven(script, child);
  driven.ready = await driven.next((message) => message.event === "ready", READY_MS_MAX);
  return driven;
}

class Driven {
  #child;
  #name;
  #unread = [];
  #waiting = [];
  #exited;
  #number = 0;

  constructor(name, child) {
    this.#name = name;
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once("exit", resolve));
    createInterface({ input: child.stdout }).on("line", (line) => this.#take(JSON.parse(line)));
    child.once("exit", (code) => this.#failAll(`${name} ended with ${code}`));
  }

  #take(message) {
    const at = this.#waiting.findIndex(({ wanted }) => wanted(message));
    if (at === -1) return void this.#unread.push(message);
    const [{ resolve, timer }] = this.#waiting.splice(at, 1);
    clearTimeout(timer);
    resolve(message);
  }

  #failAll(why) {
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(new Error(why));
    }
  }

  /** The first message that is `wanted` and was not handed out before; waits for it. */
  async next(wanted, msMax = EVENT_MS_MAX) {
    const at = this.#unread.findIndex(wanted);
    if (at !== -1) return this.#unread.splice(at, 1)[0];
    return await new Promise((resolve, reject) => {
      const waiter = { wanted, resolve, reject };
      waiter.timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(new Error(`${this.#name}: nothing matching ${wanted} in ${msMax} ms; unread: ${JSON.stringify(this.#unread)}`));
      }, msMax);
      this.#waiting.push(waiter);
    });
  }

  /** Sends a command and returns its answer, also one that is not ok. */
  async ask(command) {
    const n = ++this.#number;
    this.#child.stdin.write(`${JSON.stringify({ ...command, n })}\n`);
    return await this.next((message) => message.answer !== undefined && message.n === n, ANSWER_MS_MAX);
  }

  /** As `ask`, and fails if the answer is not ok. */
  async tell(command) {
    const answer = await this.ask(command);
    if (!answer.ok) throw new Error(`${this.#name}: ${command.do} failed: ${answer.error}`);
    return answer;
  }

  /** The next verified activity of this type. */
  async arrival(type) {
    return await this.next((message) => message.event === "inbox" && message.type === type);
  }

  /** Ends the process; one that does not end by itself is killed, and that is an error. */
  async stop() {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
    await this.#exited;
    clearTimeout(timer);
    if (this.#child.signalCode !== null) throw new Error(`${this.#name} did not end when its standard input closed`);
  }
}

// Imported before a system for Node: from then on its process speaks to this machine alone. What it tries otherwise fails, and is
// told on standard error.

import dns from "node:dns";
import net from "node:net";

const HERE = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

const refuse = (what) => {
  console.error(`quiet: ${what} was kept from the network`);
  return Object.assign(new Error(`${what} is not on this machine`), { code: "EHOSTUNREACH" });
};

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...given) {
  const [{ host = "localhost", path }] = Array.isArray(given[0]) ? given[0] : net._normalizeArgs(given);
  if (path || HERE.test(host)) return connect.apply(this, given);
  process.nextTick(() => this.destroy(refuse(host)));
  return this;
};

const { lookup } = dns;
dns.lookup = (name, ...rest) => (HERE.test(name) ? lookup(name, ...rest) : process.nextTick(rest.at(-1), refuse(name)));
const { lookup: promised } = dns.promises;
dns.promises.lookup = async (name, ...rest) => {
  if (!HERE.test(name)) throw refuse(name);
  return promised(name, ...rest);
};

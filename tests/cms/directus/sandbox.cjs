"use strict";

// Stands for `isolated-vm`, which Directus runs the code of flows in and which would have to be compiled: the same calls, as far as
// the operation "Run Script" makes them, on Node's own `vm`. It keeps values apart by copying them, and limits nothing.

const vm = require("node:vm");

const copy = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

class Context {
  constructor() {
    this.inside = vm.createContext({});
    this.global = { derefInto: () => this.inside, setSync: (name, value) => { this.inside[name] = value; } };
  }

  async eval(code, { timeout }) {
    vm.runInContext(code, this.inside, { timeout: Number(timeout) });
  }

  async evalClosure(code, given) {
    const run = vm.compileFunction(code, ["$0"], { parsingContext: this.inside });
    const value = await run(...given);
    return { copy: async () => copy(value), release() {} };
  }

  release() {}
}

class Isolate {
  createContextSync() {
    return new Context();
  }

  dispose() {}
}

class ExternalCopy {
  constructor(value) {
    this.value = copy(value);
  }

  copyInto() {
    return this.value;
  }

  release() {}
}

class Callback {
  constructor(call) {
    return call;
  }
}

module.exports = { Callback, ExternalCopy, Isolate };

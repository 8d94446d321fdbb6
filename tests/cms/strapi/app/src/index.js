"use strict";

const { factories } = require("@strapi/core");

module.exports = {
  register({ strapi }) {
    const kind = "press-release";
    strapi.get("services").add("api::press-release", { [kind]: factories.createCoreService(`api::${kind}.${kind}`) });
  },
};

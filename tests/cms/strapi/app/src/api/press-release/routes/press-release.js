"use strict";

module.exports = require("@strapi/core").factories.createCoreRouter("api::press-release.press-release");

"use strict";

module.exports = require("@strapi/core").factories.createCoreController("api::press-release.press-release");

#!/usr/bin/env node
const { enableCompileCache } = require('node:module')
const { HOME, XDG_CACHE_HOME } = process.env
// Node 22 and later can keep our compiled code; in the user's own cache, because one in /tmp could be planted.
if (enableCompileCache && (XDG_CACHE_HOME || HOME)) enableCompileCache(`${XDG_CACHE_HOME || `${HOME}/.cache`}/cronwrap`)
require('../dist/cli/main.cjs')

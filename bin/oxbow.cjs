#!/usr/bin/env node
// The launcher. Plain old JavaScript so that any Node in use can read it: it hands over to a Node that can run Oxbow
// (this one, or the one pinned in optionalDependencies), or says what to install and exits 78.
"use strict";
var path = require("path");
var fs = require("fs");
var url = require("url");

var source = path.join(__dirname, "..", "src", "doors", "main.ts");
var built = path.join(__dirname, "..", "dist", "src", "doors", "main.js");
var inPackage = __dirname.split(path.sep).indexOf("node_modules") !== -1;
var entry = !inPackage && fs.existsSync(source) ? source : built;

function capable(version) {
  var parts = version.split(".");
  var major = Number(parts[0]);
  var minor = Number(parts[1]);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

function pinnedNode() {
  var name = "node-" + (process.platform === "win32" ? "win" : process.platform) + "-" + process.arch;
  try {
    var root = path.dirname(require.resolve(name + "/package.json", { paths: [path.join(__dirname, "..")] }));
    var binary = path.join(root, "bin", process.platform === "win32" ? "node.exe" : "node");
    return fs.existsSync(binary) ? binary : null;
  } catch (error) {
    if (error && error.code !== "MODULE_NOT_FOUND") throw error;
    return null;
  }
}

function quietExperimental() {
  var emit = process.emitWarning;
  process.emitWarning = function (warning, type) {
    var kind = type && typeof type === "object" ? type.type : type;
    if (kind === "ExperimentalWarning") return;
    emit.apply(process, arguments);
  };
}

function handOver(binary) {
  var spawn = require("child_process").spawn;
  var args = ["--disable-warning=ExperimentalWarning", __filename].concat(process.argv.slice(2));
  var env = {};
  for (var key in process.env) env[key] = process.env[key];
  env.OXBOW_LAUNCHER_PID = String(process.pid);
  var child = spawn(binary, args, { stdio: "inherit", env: env });
  ["SIGINT", "SIGTERM", "SIGHUP"].forEach(function (name) {
    process.on(name, function () {
      child.kill(name);
    });
  });
  child.on("error", function (error) {
    process.stderr.write("oxbow: cannot start " + binary + ": " + error.message + "\n");
    process.exit(70);
  });
  child.on("exit", function (code, signal) {
    process.exit(signal ? 128 + (require("os").constants.signals[signal] || 0) : code);
  });
}

// Libraries that scripts/bundle.mjs put into one file each at install; without them the packages themselves are used.
function preferBundles() {
  var registerHooks = require("module").registerHooks;
  var index = path.join(__dirname, "..", "node_modules", ".oxbow", "index.json");
  if (!registerHooks || !fs.existsSync(index)) return;
  var bundles = JSON.parse(fs.readFileSync(index, "utf8"));
  registerHooks({
    resolve: function (specifier, context, next) {
      var url = bundles[specifier];
      if (!url || context.conditions.indexOf("import") === -1) return next(specifier, context);
      return { url: url, format: "module", shortCircuit: true };
    },
  });
}

// When the launcher above us was killed, nobody would read our output or reap us: end as it ended, at once.
function endWithLauncher() {
  var launcher = Number(process.env.OXBOW_LAUNCHER_PID);
  delete process.env.OXBOW_LAUNCHER_PID;
  if (!launcher || process.ppid !== launcher) return;
  setInterval(function () {
    if (process.ppid !== launcher) process.kill(process.pid, "SIGKILL");
  }, 500).unref();
}

function start() {
  if (capable(process.versions.node)) {
    quietExperimental();
    endWithLauncher();
    // Before the first TypeScript file, so that its stripped form is cached too.
    require("module").enableCompileCache();
    preferBundles();
    import(url.pathToFileURL(entry).href).catch(function (error) {
      process.stderr.write("oxbow: " + (error && error.stack ? error.stack : error) + "\n");
      process.exit(70);
    });
    return;
  }
  var binary = pinnedNode();
  if (binary) return handOver(binary);
  process.stderr.write(
    "oxbow: this is Node " +
      process.versions.node +
      "; Oxbow needs Node 22.18 or newer.\n" +
      "Install a newer Node (https://nodejs.org), or run `npm ci` in the Oxbow checkout on Linux (x64, arm64) or Windows (x64), which brings one along.\n",
  );
  process.exit(78);
}

start();

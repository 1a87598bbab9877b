// Drives Node's tls as a server or a client: driver.js ROLE PORT CERT KEY CA NAME [client-auth] [ticket] [id] [renegotiation] [dh=FILE].
//
// A server answers whatever it reads. A client connects at once, and once more for each further line on standard input;
// it resumes a session where that is "go resume".
"use strict";

const fs = require("fs");
const net = require("net");
const tls = require("tls");
const { constants } = require("crypto");

// SSL_OP_ALLOW_CLIENT_RENEGOTIATION of OpenSSL 3, which Node has no name for.
const ALLOW_CLIENT_RENEGOTIATION = 1 << 8;
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

const [role, port, certFile, keyFile, caFile, name, ...words] = process.argv.slice(2);
if (!name) {
  console.error("usage: driver.js ROLE PORT CERT KEY CA NAME [OPTION...]");
  process.exit(1);
}
const options = new Set(words);
const field = words.find((word) => word.startsWith("dh="));

const settings = {
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  // Every suite, so that those of TLS_RSA are among them.
  ciphers: "ALL:@SECLEVEL=0",
  ca: fs.readFileSync(caFile),
  secureOptions:
    (options.has("ticket") ? 0 : constants.SSL_OP_NO_TICKET) | (options.has("renegotiation") ? ALLOW_CLIENT_RENEGOTIATION : 0),
};
if (role === "server" || options.has("client-auth")) {
  settings.cert = fs.readFileSync(certFile);
  settings.key = fs.readFileSync(keyFile);
}

if (role === "server") {
  if (field) settings.dhparam = fs.readFileSync(field.slice(3));
  settings.requestCert = options.has("client-auth");
  settings.rejectUnauthorized = false;
  settings.sessionIdContext = "shakeproof";
  const sessions = new Map();
  const server = tls.createServer(settings, (socket) => {
    // A certificate is asked for and not demanded; one that is shown has to be good, as an application decides.
    if (options.has("client-auth") && socket.getPeerX509Certificate() && !socket.authorized) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.on("data", () => socket.write(ANSWER));
  });
  if (options.has("id")) {
    // Node turns OpenSSL's own cache off: sessions by id are the application's business.
    server.on("newSession", (id, data, done) => {
      sessions.set(id.toString("hex"), data);
      done();
    });
    server.on("resumeSession", (id, done) => done(null, sessions.get(id.toString("hex")) || null));
  }
  server.on("connection", (socket) => socket.setNoDelay(true));
  server.on("secureConnection", (socket) => socket.on("error", () => {}));
  server.on("tlsClientError", (error, socket) => socket.destroy());
  server.listen(Number(port), "127.0.0.1", 512);
} else {
  const context = tls.createSecureContext(settings);
  let session;
  const fetch = () => {
    const plain = net.connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
    plain.on("error", () => {});
    const socket = tls.connect({ socket: plain, secureContext: context, servername: name, session, rejectUnauthorized: true });
    if (!options.has("renegotiation")) socket.disableRenegotiation();
    socket.on("session", (fresh) => {
      if (options.has("ticket") || options.has("id")) session = fresh;
    });
    socket.on("secureConnect", () => socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`));
    socket.on("data", () => {});
    socket.on("error", (error) => {
      console.error(error.message);
      socket.destroy();
    });
  };
  fetch();
  process.stdin.on("data", (data) => {
    for (const line of data.toString().split("\n").slice(0, -1)) {
      if (line !== "go resume") session = undefined;
      fetch();
    }
  });
  process.stdin.on("end", () => process.exit(0));
}

// Node: a server that echoes, or a client that sends its input and prints the echo. See tests/interop/stacks.py.
'use strict';
const fs = require('fs');
const tls = require('tls');
const { constants } = require('crypto');

const options = JSON.parse(process.argv[2]);
const secure = {
  maxVersion: 'TLSv1.2',
  ciphers: options.suites.join(':'),
  ca: fs.readFileSync(options.ca),
  cert: options.certificates.map((each) => fs.readFileSync(each.chain)),
  key: options.certificates.map((each) => fs.readFileSync(each.key)),
  secureOptions: options.session === 'ticket' ? 0 : constants.SSL_OP_NO_TICKET,
};

function report(socket, extra) {
  return JSON.stringify({ suite: socket.getCipher().name, resumed: socket.isSessionReused(), ...extra });
}

function serve() {
  const sessions = new Map();
  const server = tls.createServer({
    ...secure,
    dhparam: options.dhparam ? fs.readFileSync(options.dhparam) : undefined,
    requestCert: options.client_auth !== 'none',
    rejectUnauthorized: options.client_auth === 'require',
  }, (socket) => {
    if (!options.renegotiate) socket.disableRenegotiation();
    if (options.record) socket.setMaxSendFragment(options.record);
    // What is known now: at the end the socket has forgotten it.
    const { CN } = (socket.getPeerCertificate().subject || {});
    const known = { client: CN || '' };
    let line = report(socket, known);
    socket.on('data', (data) => { line = report(socket, known); socket.write(data); });
    socket.on('end', () => console.log(line));
    socket.on('error', (error) => console.log(JSON.stringify({ error: String(error) })));
  });
  if (options.session === 'id') {
    server.on('newSession', (id, data, done) => { sessions.set(id.toString('hex'), data); done(); });
    server.on('resumeSession', (id, done) => done(null, sessions.get(id.toString('hex')) || null));
  }
  server.on('tlsClientError', (error) => console.log(JSON.stringify({ error: String(error) })));
  server.listen(0, '127.0.0.1', () => console.log(`LISTENING ${server.address().port}`));
}

function visit(data, times, session) {
  const socket = tls.connect({ ...secure, host: '127.0.0.1', port: options.port, servername: options.name, session });
  // Without an echo to wait for, the server closes.
  let received = 0;
  let line;
  socket.on('session', (fresh) => { session = fresh; });
  socket.once('secureConnect', () => {
    if (options.record) socket.setMaxSendFragment(options.record);
    line = report(socket, {});
    if (options.renegotiate) {
      socket.renegotiate({ rejectUnauthorized: true }, (error) => {
        if (error) throw error;
        socket.write(data);
      });
    } else {
      socket.write(data);
    }
  });
  socket.on('data', (chunk) => {
    process.stdout.write(chunk);
    received += chunk.length;
    if (received === options.expect) socket.end();
  });
  socket.on('close', () => {
    console.error(line);
    if (times > 1) visit(data, times - 1, session);
  });
}

if (options.role === 'server') serve();
else visit(fs.readFileSync(0), options.times);

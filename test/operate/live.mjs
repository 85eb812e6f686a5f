// An app with a page, an event stream (/events) and a WebSocket that echoes. It answers with the headers in the query. Its
// page has the session headers of the request, one a line.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app');
  for (const [name, value] of searchParams) {
    response.appendHeader(name, value);
  }
  if (pathname === '/events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: hello\n\n');
    return; // it goes on
  }
  const { rawHeaders: raw } = request;
  for (let i = 0; i < raw.length; i += 2) {
    response.write(`${raw[i]}: ${raw[i + 1]}\n`);
  }
  response.end();
});

server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  // A short frame of a client: opcode, length, mask, data (RFC 6455, section 5.2). It may come in pieces.
  let came = Buffer.alloc(0);
  socket.on('data', (piece) => {
    came = Buffer.concat([came, piece]);
    const size = came[1] & 0x7f;
    if (came.length < 6 + size) return;
    const mask = came.subarray(2, 6);
    const data = came.subarray(6, 6 + size).map((byte, i) => byte ^ mask[i % 4]);
    socket.write(Buffer.concat([Buffer.from([came[0], size]), data]));
    came = came.subarray(6 + size);
  });
  socket.on('error', () => {});
});

server.listen(process.env.PORT, '127.0.0.1');

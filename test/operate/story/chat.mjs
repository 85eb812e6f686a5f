// The chat of the same app: a page, and a WebSocket that stays open and says nothing more.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const user = (req) => JSON.parse(req.headers['x-session-data']).user ?? 'stranger';

createServer((req, res) => res.end(`Chat of ${user(req)}\n`))
  .on('upgrade', (req, socket) => {
    const hello = Buffer.from(`Welcome, ${user(req)}`);
    const accept = createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
    socket.on('error', () => socket.destroy());
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.write(Buffer.concat([Buffer.from([0x81, hello.length]), hello]));
  })
  .listen(Number(process.env.PORT), '127.0.0.1');

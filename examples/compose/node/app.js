// Counts the visits of this app in the session, and shows those of all.
const http = require('node:http');

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const [host, port] = process.env.LISTEN.split(':');

http.createServer((req, res) => {
  const { user = 'stranger', php = 0, node = 0, flask = 0 } = JSON.parse(req.headers['x-session-data']);
  res.setHeader('X-Session-Update', '[{"op":"increment","path":"/node","value":1}]');
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(`<!DOCTYPE html>
<title>Node</title>
<h1>Hello, ${escape(user)}. This is Node.</h1>
<p>Before this visit: PHP ${php}, Node ${node}, Flask ${flask}.</p>
<p><a href="/php/">PHP</a> <a href="/node/">Node</a> <a href="/flask/">Flask</a></p>
`);
}).listen(port, host);

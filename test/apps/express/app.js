// An Express app without express-session: Caddy keeps the session.
const express = require('express');
const app = express();
app.use(express.urlencoded());

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const html = (text) => String(text).replace(/[&<>"']/g, (c) => escapes[c]);

// Node allows only Latin-1 in headers, so JSON must escape all other characters.
const json = (value) =>
  JSON.stringify(value).replace(/[^ -~]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

app.get('/', (req, res) => {
  const session = JSON.parse(req.get('X-Session-Data'));
  const messages = JSON.parse(req.get('X-Session-Flash') ?? '[]');
  res.set('X-Session-Update', '[{"op": "increment", "path": "/visits", "value": 1}]');
  res.set('X-Session-Control', 'flash-seen');
  res.send(`<!DOCTYPE html>
<title>Express</title>
${messages.map(([category, text]) => `<p class="${html(category)}">${html(text)}</p>`).join('\n')}
<h1>Hello, ${html(session.user ?? 'stranger')}.</h1>
<div>${(session.visits ?? 0) + 1} visits</div>
<form method="post"><input name="name"><button>Log in</button></form>
<form method="post"><input name="message"><button>Leave a message</button></form>
<form method="post"><button name="logout">Log out</button></form>
`);
});

app.post('/', (req, res) => {
  const form = req.body;
  if ('name' in form) {
    res.set('X-Session-Update', json({ user: form.name }));
    res.set('X-Session-Flash', json(['success', `Express welcomes ${form.name}.`]));
    res.set('X-Session-Control', 'regenerate');
  } else if ('logout' in form) {
    res.set('X-Session-Flash', json(['info', 'Express says goodbye.']));
    res.set('X-Session-Control', 'destroy');
  } else if ('message' in form) {
    res.set('X-Session-Flash', json(['info', form.message]));
  }
  res.redirect(303, '.');
});

app.listen(process.env.PORT, '127.0.0.1');

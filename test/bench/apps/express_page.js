// The page of php/index.php in Express, with express-session or with the session that the proxy has.
const express = require('express');
const session = require('express-session');

const content = {
  user: { id: 4711, name: 'Zo\u00eb Example', roles: ['editor', 'admin'] },
  cart: [{ sku: 'A-100', n: 2 }, { sku: 'B-7', n: 1 }],
  csrf: '0123456789abcdef'.repeat(4),
  visits: 1,
  notes: 'lorem ipsum '.repeat(22),
};
const page = (name) => `<!doctype html><title>bench</title><p>${name}`;
const app = express();

if (process.env.OWN) {
  app.use(session({ secret: 'bench', resave: false, saveUninitialized: false }));
  app.get('/', (req, res) => {
    if ('create' in req.query) Object.assign(req.session, content);
    else if ('change' in req.query) req.session.visits++;
    res.send(page(req.session.user.name));
  });
} else {
  app.get('/', (req, res) => {
    if ('create' in req.query) {
      res.set('X-Session-Update', JSON.stringify(content).replace('\u00eb', '\\u00eb'));
      return res.send(page(''));
    }
    if ('change' in req.query) res.set('X-Session-Update', '[{"op":"increment","path":"/visits","value":1}]');
    res.send(page(JSON.parse(req.get('X-Session-Data')).user.name));
  });
}
app.listen(process.env.PORT, '127.0.0.1');

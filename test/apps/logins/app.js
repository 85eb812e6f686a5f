// Logins with express-session, cookie-session or @fastify/session: the first argument. It listens on PORT.
const fs = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

const page = fs.readFileSync('page.html', 'utf8');
const port = Number(process.env.PORT);
const secret = 'logins, thirty-two bytes at least';

// show counts a visit, so that every visitor has a session, and returns the page.
function show(session, note) {
  session.visits = (session.visits ?? 0) + 1;
  return page.replace('{user}', session.user ?? 'nobody').replace('{slow}', session.slow ?? '').replace('{note}', note);
}

const note = (cookie) => /(?:^|; )note=([^;]*)/.exec(cookie)?.[1] ?? '';
const kept = 'note=kept; Path=/';

function express(session, renew) {
  const app = require('express')();
  app.use(session);
  app.get(['/', '/next'], (req, res) => {
    res.send(show(req.session, note(req.get('Cookie'))));
  });
  app.post('/login', async (req, res) => {
    await sleep(Number(req.query.ms));
    await renew(req);
    req.session.user = 'ada';
    res.redirect(303, '/');
  });
  app.post('/logout', async (req, res) => {
    await renew(req);
    req.session.visits = 0; // like a message, so that the cookie is replaced and not deleted
    res.redirect(303, '/');
  });
  app.get('/slow', async (req, res) => {
    req.session.slow = 'kept';
    await sleep(Number(req.query.ms));
    res.append('Set-Cookie', kept);
    res.send('done');
  });
  app.listen(port, '127.0.0.1').keepAliveTimeout = 60_000;
}

const apps = {
  'express-session'() {
    const session = require('express-session')({ secret, resave: false, saveUninitialized: false });
    express(session, (req) => new Promise((done, failed) => req.session.regenerate((err) => (err ? failed(err) : done()))));
  },

  'cookie-session'() {
    // The counter makes every page write the cookie again.
    const session = require('cookie-session')({ secret });
    express(session, (req) => (req.session = {}));
  },

  'fastify'() {
    const app = require('fastify')({ keepAliveTimeout: 60_000 });
    app.register(require('@fastify/formbody'));
    app.register(require('@fastify/cookie'));
    app.register(require('@fastify/session'), { secret, cookie: { secure: false } });
    const home = async (request, reply) => {
      reply.type('text/html');
      return show(request.session, request.cookies.note ?? '');
    };
    app.get('/', home);
    app.get('/next', home);
    app.post('/login', async (request, reply) => {
      await sleep(Number(request.query.ms));
      await request.session.regenerate();
      request.session.user = 'ada';
      return reply.redirect('/', 303);
    });
    app.post('/logout', async (request, reply) => {
      await request.session.regenerate();
      request.session.visits = 0;
      return reply.redirect('/', 303);
    });
    app.get('/slow', async (request, reply) => {
      request.session.slow = 'kept';
      await sleep(Number(request.query.ms));
      reply.header('Set-Cookie', kept);
      return 'done';
    });
    app.listen({ port, host: '127.0.0.1' });
  },
};

apps[process.argv[2]]();
